package router

import (
	"slices"
	"strings"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// directory is what the router knows of rooms. None is ever changed, so whoever
// comes is greeted without a lock: when another router dies, many come at once.
type directory struct {
	rooms    []comms.Room // by name
	greeting []comms.Room // the first that a client is shown: those of the rooms file, then the others
}

func newDirectory(rooms, first []comms.Room) *directory {
	d := &directory{rooms: rooms}
	shown := map[string]bool{}
	for _, room := range first {
		shown[room.Name] = true
		if i, ok := d.find(room.Name); ok {
			room = d.rooms[i]
		}
		d.greeting = append(d.greeting, room)
	}
	for _, room := range rooms {
		if len(d.greeting) >= comms.GreetingRooms {
			break
		}
		if !shown[room.Name] {
			d.greeting = append(d.greeting, room)
		}
	}
	d.greeting = d.greeting[:min(len(d.greeting), comms.GreetingRooms)]
	return d
}

func byName(a, b comms.Room) int { return strings.Compare(a.Name, b.Name) }

// sorted has each room once.
func sorted(rooms []comms.Room) []comms.Room {
	rooms = slices.Clone(rooms)
	slices.SortFunc(rooms, byName)
	return slices.CompactFunc(rooms, func(a, b comms.Room) bool { return a.Name == b.Name })
}

// find is where the room is, or would be.
func (d *directory) find(name string) (i int, ok bool) {
	return slices.BinarySearchFunc(d.rooms, comms.Room{Name: name}, byName)
}

// replaced is rooms without those of was, and with those of now; all are sorted.
func replaced(rooms, was, now []comms.Room) []comms.Room {
	list := make([]comms.Room, 0, len(rooms)+len(now))
	for _, room := range rooms {
		for len(now) > 0 && now[0].Name < room.Name {
			list, now = append(list, now[0]), now[1:]
		}
		for len(was) > 0 && was[0].Name < room.Name {
			was = was[1:]
		}
		again := len(now) > 0 && now[0].Name == room.Name
		gone := len(was) > 0 && was[0].Name == room.Name
		if !again && !gone {
			list = append(list, room)
		}
	}
	return append(list, now...)
}

// report takes one page of a partition's rooms.
func (r *Router) report(p comms.RoomReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.First {
		r.pages[p.Partition] = nil
	}
	r.pages[p.Partition] = append(r.pages[p.Partition], p.Rooms...)
	if p.More {
		return
	}
	was, now := r.lists[p.Partition], sorted(r.pages[p.Partition])
	delete(r.pages, p.Partition)
	if r.noteFailed(p); p.Failed != "" {
		now = was // what was known of it
	}
	r.lists[p.Partition] = now
	if _, changed := r.changed[p.Partition]; !changed {
		r.changed[p.Partition] = was
	}
	r.stale.Store(true)
	if len(r.lists) == membership.Partitions {
		select {
		case <-r.ready:
		default:
			close(r.ready)
		}
	}
}

// current is the directory with all that was reported. It is made when somebody
// asks: a description that changes must not cost a copy of all rooms each time.
func (r *Router) current() *directory {
	if !r.stale.Load() {
		return r.directory.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stale.Load() {
		var was, now []comms.Room
		for p, had := range r.changed {
			was, now = append(was, had...), append(now, r.lists[p]...)
		}
		r.directory.Store(newDirectory(replaced(r.directory.Load().rooms, sorted(was), sorted(now)), r.opts.Rooms))
		clear(r.changed)
		r.stale.Store(false)
	}
	return r.directory.Load()
}

// greeting lists the first rooms.
func (r *Router) greeting() []comms.Room { return r.current().greeting }

// list answers ListRooms.
func (r *Router) list(q comms.ListRooms) comms.RoomList {
	limit := q.Limit
	if limit == 0 {
		limit = comms.MaxPage
	}
	d := r.current()
	from, _ := d.find(max(q.Prefix, q.After))
	answer := comms.RoomList{Tag: q.Tag}
	for _, room := range d.rooms[from:] {
		switch {
		case room.Name <= q.After:
			continue
		case !strings.HasPrefix(room.Name, q.Prefix):
			return answer
		case len(answer.Rooms) == limit:
			answer.Next = answer.Rooms[limit-1].Name
			return answer
		}
		answer.Rooms = append(answer.Rooms, room)
	}
	return answer
}
