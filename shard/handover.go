package shard

import (
	"encoding/json"
	"slices"
	"time"

	"positivity-exchange/shard/roomlog"
)

const (
	maxHandover = 256 << 10
	maxEnds     = 64 << 10 // bytes of a handover for rooms' ends, before they are encoded
)

// handover is what a released partition says to its next owner, who reads it
// with the owner record: who was present, and what would be read anyway. The
// latter counts only where it ends as the log does.
type handover struct {
	Deadline int64                       `json:"deadline"`       // Unix milliseconds: until when those in Rooms can come back
	Rooms    map[string][]string         `json:"rooms"`          // who had a session
	Away     map[string]map[string]int64 `json:"away,omitempty"` // room -> user, not back yet, and their own deadline: a second move carries it on
	Ends     map[string][]roomlog.Record `json:"ends,omitempty"` // the newest tailRecords of rooms with people, without the room's name
}

// handOver is what a partition that has stopped says. The caller holds mu.
func (p *part) handOver(now time.Time) []byte {
	h := handover{
		Deadline: now.Add(graceFor).UnixMilli(),
		Rooms:    map[string][]string{}, Away: map[string]map[string]int64{}, Ends: map[string][]roomlog.Record{},
	}
	for name, users := range p.grace {
		for u, until := range users {
			if !until.After(now) {
				continue
			}
			if h.Away[name] == nil {
				h.Away[name] = map[string]int64{}
			}
			h.Away[name][u] = until.UnixMilli()
		}
	}
	left := maxEnds
	for name, r := range p.rooms {
		for u, a := range r.users {
			if a.sessions > 0 {
				h.Rooms[name] = append(h.Rooms[name], u)
			}
		}
		if len(h.Rooms[name]) == 0 {
			continue
		}
		if end, size := r.end(); 0 < size && size <= left {
			h.Ends[name] = end
			left -= size
		}
	}
	b, err := json.Marshal(h)
	if err == nil && len(b) > maxHandover {
		h.Ends = nil // can be read; who is present cannot
		b, err = json.Marshal(h)
	}
	if err != nil || len(b) > maxHandover {
		return nil // presence is built again from those who come
	}
	return b
}

// end is the room's newest tailRecords, ascending, or nothing if they are not
// all known here; and about how many bytes they take in a handover.
func (r *room) end() (records []roomlog.Record, size int) {
	n := int(min(tailRecords, r.head.Seq))
	if n > len(r.order) {
		return nil, 0
	}
	for i := range n {
		entry := r.latest(i)
		if entry.dropped || entry.record.Seq != r.head.Seq-uint64(i) {
			return nil, 0
		}
		record := entry.record
		record.Room = ""
		records = append(records, record)
		size += 128 + len(record.User) + len(record.ID) + len(record.Content)
	}
	slices.Reverse(records)
	return records, size
}

// takeOver believes what the last owner said.
func (p *part) takeOver(b []byte, now time.Time) {
	var h handover
	if len(b) == 0 || json.Unmarshal(b, &h) != nil {
		return
	}
	limit := now.Add(graceFor).UnixMilli() // their clock may be ahead of ours
	for name, users := range h.Rooms {
		for _, u := range users {
			p.keep(name, u, time.UnixMilli(min(h.Deadline, limit)))
		}
	}
	for name, users := range h.Away {
		for u, until := range users {
			p.keep(name, u, time.UnixMilli(min(until, limit)))
		}
	}
	p.ends = h.Ends
}

// endsAt tells whether records are a room's newest, if its head is at.
func endsAt(records []roomlog.Record, at roomlog.Position) bool {
	n := len(records)
	if n == 0 || records[n-1].Seq != at.Seq || records[n-1].Epoch != at.Epoch {
		return false
	}
	for i := range n {
		if records[i].Seq != at.Seq-uint64(n-1-i) {
			return false
		}
	}
	return true
}
