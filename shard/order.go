package shard

import (
	"errors"
	"slices"

	"positivity-exchange/comms"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
)

// A sender's messages keep their order. It sends without waiting for answers,
// so when one is refused others are under way behind it: those are refused too,
// until that one has come again.

// seat is one session's place in a room.
type seat struct {
	refused string // id that must come again before any other
	late    bool   // it was refused without having been queued: what is queued comes before it
}

// waitsFor tells whether another message than this one must come first.
func (s *seat) waitsFor(id string) bool { return s.refused != "" && s.refused != id }

// mustRepeat follows a refusal of the newest message, which its sender is to repeat.
func (s *seat) mustRepeat(id string) {
	if s.refused == "" {
		s.refused, s.late = id, true
	}
}

// repeated follows a message that was taken, or answered.
func (s *seat) repeated(id string) {
	if s.refused == id {
		s.refused = ""
	}
}

// noteStored follows the news that a message that was looked for is in the log. A
// sender of whom it was refused meanwhile over another connection may learn that
// from the room, and never send it again: nothing need wait for it.
func (r *room) noteStored(user, id string) {
	for s, seat := range r.members {
		if s.user == user {
			seat.repeated(id)
		}
	}
}

// mustRepeat follows a failed commit: the first of what each session had in it
// must come again before anything else of that session's in that room. It comes
// before whatever was refused meanwhile without having been queued.
func (p *part) mustRepeat(batch []pending, stored []bool) {
	for i := len(batch) - 1; i >= 0; i-- {
		if stored != nil && stored[i] {
			continue
		}
		p.holdUp(batch[i], batch[i].session)
		for _, s := range batch[i].before {
			p.holdUp(batch[i], s)
		}
	}
}

// holdUp lets nothing of a session's follow a record that is not in the log.
func (p *part) holdUp(q pending, s *session) {
	if seat := q.room.members[s]; seat != nil {
		seat.refused, seat.late = q.entry.record.ID, false
		return
	}
	// It has gone, and has nobody who would be told to wait.
	p.queue = slices.DeleteFunc(p.queue, func(w pending) bool {
		behind := w.session == s && w.room == q.room
		if behind {
			s.unsettled.add(-w.size)
			delete(w.room.window, w.key())
		}
		return behind
	})
}

// answerTo makes s the one who hears what becomes of a message that waits for
// its commit: its sender has sent it again over another connection. What it sent
// behind it over the first may not have been read yet.
func (p *part) answerTo(s *session, entry *seen) {
	for _, waiting := range [][]pending{p.batch, p.queue} {
		for i := range waiting {
			if was := waiting[i].session; waiting[i].entry == entry && was != s {
				was.unsettled.add(-waiting[i].size)
				s.unsettled.add(waiting[i].size)
				waiting[i].before = append(waiting[i].before, was)
				waiting[i].session = s
			}
		}
	}
}

// seatIn returns the session's seat in a room, its part's mu held; nil if it is
// not in the room here.
func (s *session) seatIn(room string) (*part, *seat) {
	s.mu.Lock()
	p := s.joined[room]
	s.mu.Unlock()
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	if r := p.rooms[room]; r != nil && r.members[s] != nil {
		return p, r.members[s]
	}
	p.mu.Unlock()
	return nil, nil
}

// notTaken answers a message that did not get as far as the sequencer. Its
// sender has sent more by now: that waits until this one has come again.
func (s *session) notTaken(err error, rec roomlog.Record) {
	var to *ownership.RedirectError
	if errors.As(err, &to) || comms.Retryable(comms.AsError(err).Code) {
		if p, seat := s.seatIn(rec.Room); seat != nil {
			seat.mustRepeat(rec.ID)
			p.mu.Unlock()
		}
	}
	s.refuse(err, rec.Room, rec.ID)
}

// behindRefused refuses what may not be stored now, without a wait for the
// partition: a whole window of messages would wait one after the other.
func (s *session) behindRefused(rec roomlog.Record) bool {
	p, seat := s.seatIn(rec.Room)
	if seat == nil {
		return false
	}
	defer p.mu.Unlock()
	if !seat.waitsFor(rec.ID) {
		return false
	}
	s.refuse(outOfOrder(), rec.Room, rec.ID)
	return true
}

func outOfOrder() error {
	return &comms.Error{Code: comms.CodeOutOfOrder, Message: "an earlier message was refused and must come again first", Retry: 1}
}
