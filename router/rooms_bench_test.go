package router

import (
	"fmt"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// BenchmarkGreeting is what each new connection costs a router that knows many
// rooms, which all come at once when another router has died.
func BenchmarkGreeting(b *testing.B) {
	for _, rooms := range []int{1000, 10_000, 100_000} {
		r := knowing(rooms)
		b.Run(fmt.Sprint(rooms), func(b *testing.B) {
			for b.Loop() {
				r.greeting()
			}
		})
	}
}

// BenchmarkReport is what a partition's report costs, of which each room that
// is made brings one.
func BenchmarkReport(b *testing.B) {
	for _, rooms := range []int{1000, 10_000, 100_000} {
		r := knowing(rooms)
		report := comms.RoomReport{Partition: 7, Rooms: r.lists[7], First: true}
		b.Run(fmt.Sprint(rooms), func(b *testing.B) {
			for b.Loop() {
				r.report(report)
			}
		})
	}
}

// knowing is a router that was told of so many rooms.
func knowing(rooms int) *Router {
	r := New(Options{})
	lists := map[int][]comms.Room{}
	for i := range rooms {
		name := fmt.Sprintf("room-%06d", i)
		p := membership.Partition(name)
		lists[p] = append(lists[p], comms.Room{Name: name})
	}
	for p, list := range lists {
		r.report(comms.RoomReport{Partition: p, Rooms: list, First: true})
	}
	return r
}
