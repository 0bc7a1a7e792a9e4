package shard

import (
	"context"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog"
)

// say sequences one message or topic of a session. Called by the session's
// reader, one at a time, so a sender's order is the order of calls. What was
// queued is committed once the reader has nothing more to read.
func (s *session) say(rec roomlog.Record, again bool, known uint64) {
	if s.sayAtOnce(rec, again, known) {
		return
	}
	s.commitQueued() // what follows may wait; the partition must not
	if s.behindRefused(rec) {
		return
	}
	for sought := false; ; {
		p, err := s.server.part(s.ctx, rec.Room)
		if err != nil {
			s.notTaken(err, rec)
			return
		}
		r, over, err := p.load(s.ctx, rec.Room)
		if over {
			if s.ctx.Err() != nil {
				return
			}
			continue
		}
		if err != nil {
			s.notTaken(storeError(err, rec.Room), rec)
			return
		}
		low := r.low
		if p.sequence(s, r, rec, again, known, sought) {
			return
		}
		// Older than the window: look the log through, off the sequencer.
		found, err := p.lookThrough(s.ctx, rec, known, low)
		p.mu.Lock()
		if entry := r.window[dedupKey{rec.User, rec.ID}]; entry != nil && entry.looking {
			delete(r.window, dedupKey{rec.User, rec.ID})
		}
		if found != nil {
			r.noteStored(rec.User, rec.ID)
		}
		p.mu.Unlock()
		switch {
		case err != nil:
			s.notTaken(storeError(err, rec.Room), rec)
			return
		case found != nil && (found.Content != rec.Content || found.Kind != rec.Kind):
			s.refuse(conflict(), rec.Room, rec.ID)
			return
		case found != nil:
			s.out.Queue(appendRecord(nil, found))
			return
		}
		again, sought = false, true // looked for and not there: new
	}
}

// sayAtOnce is say in a room that the session is in and that is open here, as
// almost always: without I/O, under the one lock that orders the partition.
func (s *session) sayAtOnce(rec roomlog.Record, again bool, known uint64) bool {
	p, r := s.openRoom([]byte(rec.Room))
	if r == nil {
		return false
	}
	if again && known < r.low {
		p.mu.Unlock()
		return false
	}
	return p.sequence(s, r, rec, again, known, false)
}

// sayView is say of a command that is still in the connection's buffer: one
// copy of its text is all that is made.
func (s *session) sayView(v comms.SendView) {
	text := string(append(append(make([]byte, 0, len(v.ID)+len(v.Content)), v.ID...), v.Content...))
	rec := roomlog.Record{Kind: roomlog.KindMessage, User: s.user, ID: text[:len(v.ID)], Content: text[len(v.ID):]}
	p, r := s.openRoom(v.Room)
	switch {
	case r == nil:
	case v.Again && v.Seen < r.low:
		p.mu.Unlock()
	default:
		rec.Room = r.name
		p.sequence(s, r, rec, v.Again, v.Seen, false)
		return
	}
	rec.Room = string(v.Room)
	s.say(rec, v.Again, v.Seen)
}

// openRoom returns a room that the session is in and that accepts now, its
// part's mu held; nil if that cannot be told without I/O or waiting.
func (s *session) openRoom(name []byte) (*part, *room) {
	s.mu.Lock()
	p := s.joined[string(name)]
	s.mu.Unlock()
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	r := p.rooms[string(name)]
	if r == nil || p.over || p.gate != nil || !s.server.keeper.Fresh(p.partition, p.epoch) {
		p.mu.Unlock()
		return nil, nil
	}
	return p, r
}

func conflict() error {
	return &comms.Error{Code: comms.CodeConflict, Message: "another message has this id; use a new id for other content"}
}

// sequence answers or queues one record. The caller holds p.mu, which is
// released here. false: the log must be looked through first; the id is marked.
// sought: it has been, in vain.
func (p *part) sequence(s *session, r *room, rec roomlog.Record, again bool, known uint64, sought bool) bool {
	defer p.mu.Unlock()
	seat := r.members[s]
	if seat == nil {
		s.refuse(&comms.Error{Code: comms.CodeNotJoined, Message: "join the room before you speak in it"}, rec.Room, rec.ID)
		return true
	}
	key := dedupKey{rec.User, rec.ID}
	if old := r.window[key]; old != nil {
		switch {
		case old.looking:
			seat.mustRepeat(rec.ID)
			s.refuse(&comms.Error{Code: comms.CodePending, Message: "this message is being looked for; ask again", Retry: 200}, rec.Room, rec.ID)
			return true
		case !old.is(&rec):
			s.refuse(conflict(), rec.Room, rec.ID)
		case old.record.Seq != 0:
			stored := old.record
			stored.Content = rec.Content // the same, and not kept, maybe
			s.out.Queue(appendRecord(nil, &stored))
		default:
			p.answerTo(s, old) // by the commit under way
		}
		seat.repeated(rec.ID)
		return true
	}
	if seat.waitsFor(rec.ID) {
		s.refuse(outOfOrder(), rec.Room, rec.ID)
		return true
	}
	if again && known < r.low {
		r.window[key] = &seen{looking: true}
		return false
	}
	seat.repeated(rec.ID)
	entry := &seen{record: rec}
	r.window[key] = entry
	size := int64(pendingSize + len(rec.ID) + len(rec.Content))
	s.unsettled.add(size)
	p.queue = append(p.queue, pending{session: s, room: r, entry: entry, size: size, sought: sought})
	if !p.duty && p.gate == nil {
		p.duty = true
		s.duties = append(s.duties, p)
	}
	return true
}

// lookThrough searches the room's records behind known for rec's id, up to low:
// those above were in the window when it was not found there.
func (p *part) lookThrough(ctx context.Context, rec roomlog.Record, known, low uint64) (*roomlog.Record, error) {
	for known < low {
		page, err := p.server.opts.Log.Read(ctx, p.partition, rec.Room, known+1, 1000, 1<<20)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		for i := range page {
			if page[i].User == rec.User && page[i].ID == rec.ID {
				return &page[i], nil
			}
		}
		known = page[len(page)-1].Seq
	}
	return nil, nil
}
