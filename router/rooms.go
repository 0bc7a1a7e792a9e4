package router

import (
	"slices"
	"strings"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

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
	list := r.pages[p.Partition]
	delete(r.pages, p.Partition)
	for _, room := range r.lists[p.Partition] {
		delete(r.names, room.Name)
	}
	r.lists[p.Partition] = list
	for _, room := range list {
		r.names[room.Name] = room
	}
	if len(r.lists) == membership.Partitions {
		select {
		case <-r.ready:
		default:
			close(r.ready)
		}
	}
}

// greeting lists the first rooms: those of the rooms file, then the others.
func (r *Router) greeting() []comms.Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]comms.Room, 0, len(r.opts.Rooms))
	first := map[string]bool{}
	for _, room := range r.opts.Rooms {
		if now, ok := r.names[room.Name]; ok {
			room = now
		}
		list = append(list, room)
		first[room.Name] = true
	}
	var others []comms.Room
	for name, room := range r.names {
		if !first[name] {
			others = append(others, room)
		}
	}
	slices.SortFunc(others, func(a, b comms.Room) int { return strings.Compare(a.Name, b.Name) })
	list = append(list, others...)
	return list[:min(len(list), comms.GreetingRooms)]
}

// list answers ListRooms.
func (r *Router) list(q comms.ListRooms) comms.RoomList {
	limit := q.Limit
	if limit == 0 {
		limit = comms.MaxPage
	}
	r.mu.Lock()
	var rooms []comms.Room
	for name, room := range r.names {
		if strings.HasPrefix(name, q.Prefix) && name > q.After {
			rooms = append(rooms, room)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(rooms, func(a, b comms.Room) int { return strings.Compare(a.Name, b.Name) })
	answer := comms.RoomList{Rooms: rooms, Tag: q.Tag}
	if len(rooms) > limit {
		answer.Rooms, answer.Next = rooms[:limit], rooms[limit-1].Name
	}
	return answer
}
