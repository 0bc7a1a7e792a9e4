package router

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"positivity-exchange/comms"
)

// TestDirectoryIsWhatWasReportedLast of each partition, whatever changed between
// two reports.
func TestDirectoryIsWhatWasReportedLast(t *testing.T) {
	r := New(Options{Rooms: []comms.Room{{Name: "zoo"}, {Name: "bar"}}})
	random := rand.New(rand.NewPCG(1, 2))
	reported := map[int]map[string]string{}
	for n := range 500 {
		p := random.IntN(4)
		now := map[string]string{}
		var rooms []comms.Room
		for i := range 20 {
			if name := fmt.Sprintf("%c-%d", 'a'+i, p); random.IntN(2) == 0 {
				now[name] = fmt.Sprint("as of ", n)
				rooms = append(rooms, comms.Room{Name: name, Description: now[name]})
			}
		}
		reported[p] = now
		half := len(rooms) / 2
		r.report(comms.RoomReport{Partition: p, Rooms: rooms[:half], First: true, More: true})
		r.report(comms.RoomReport{Partition: p, Rooms: rooms[half:]})
		want := map[string]string{"zoo": "", "bar": ""}
		for _, list := range reported {
			maps.Copy(want, list)
		}
		got := r.list(comms.ListRooms{}).Rooms
		if len(got) != len(want) || !slices.IsSortedFunc(got, byName) {
			t.Fatalf("%d rooms, want %d: %v", len(got), len(want), got)
		}
		for _, room := range got {
			if about, ok := want[room.Name]; !ok || about != room.Description {
				t.Fatalf("it lists %v, want %q, %t", room, about, ok)
			}
		}
		if greeting := r.greeting(); len(greeting) != len(want) || greeting[0].Name != "zoo" || greeting[1].Name != "bar" {
			t.Fatalf("it greets with %v", greeting)
		}
	}
}
