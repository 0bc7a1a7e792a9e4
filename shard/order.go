package shard

import (
	"errors"

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
}

// waitsFor tells whether another message than this one must come first.
func (s *seat) waitsFor(id string) bool { return s.refused != "" && s.refused != id }

// mustRepeat follows a refusal of id that its sender is to repeat.
func (s *seat) mustRepeat(id string) {
	if s.refused == "" {
		s.refused = id
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
