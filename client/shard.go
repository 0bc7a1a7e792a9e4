package client

import (
	"errors"
	"time"

	"positivity-exchange/comms"
)

// fromShard handles what a shard said.
func (s *Session) fromShard(l *link, e comms.Event) {
	switch e.(type) {
	case comms.Welcome, comms.Ticket, comms.PongEvent: // so much it says without its log
	default:
		delete(s.fled, l.addr)
	}
	if l.undone(e) {
		return
	}
	switch e := e.(type) {
	case comms.Welcome:
		l.welcomed(e.Name)
		s.ticket, s.issued = e.Ticket, time.Time{}
	case comms.Ticket:
		s.ticket, s.issued = e.Ticket, time.Time{}
	case comms.UserJoinedRoom:
		if r := l.room(e.Room); r != nil && r.state == stateJoining {
			s.welcomed(r, e)
		}
	case comms.UserMessage:
		if r := l.room(e.Room); r != nil {
			s.record(r, comms.Record{Kind: comms.KindMessage, Seq: e.Seq, Epoch: e.Epoch, User: e.User, ID: e.ID, Time: e.Time, Content: e.Content})
		}
	case comms.TopicChanged:
		if r := l.room(e.Room); r != nil {
			s.record(r, comms.Record{Kind: comms.KindTopic, Seq: e.Seq, Epoch: e.Epoch, User: e.User, ID: e.ID, Time: e.Time, Content: e.Topic})
		}
	case comms.HistoryCut:
		if r := l.room(e.Room); r != nil {
			s.cut(r, e.At)
		}
	case comms.Presence:
		if l.room(e.Room) != nil {
			s.emit(Presence{e.Room, e.Joined, e.Left, e.Count})
		}
	case comms.PresenceList:
		if l.room(e.Room) != nil {
			s.emit(People{e.Room, e.Users, e.Count})
		}
	case comms.RoomMoving:
		s.moving(l, e)
	case comms.RoomMoved:
		s.movedFrom(l, e)
	case comms.Redirect:
		if r := l.room(e.Room); r != nil && (e.ID != "" || r.joining()) {
			s.redirected(r, e)
			return
		}
		l.answered(e)
	case comms.Error:
		s.refused(l, e)
	default: // Located, HistoryPage, RoomCreated, RoomLeft: answers
		l.answered(e)
	}
}

// room is the one of that name that the shard serves to us, or is to; nil if none is.
func (l *link) room(name string) *room {
	if r := l.session.rooms[name]; r != nil && r.shard == l && !l.givenUp[name] {
		return r
	}
	return nil
}

// cut goes back to where the room's records end now.
func (s *Session) cut(r *room, end uint64) {
	r.last = comms.Position{Seq: end}
	if end == r.head.Seq {
		r.last = r.head // else the next record tells the epoch at once
	}
	s.emit(Cut{r.name, end})
}

// moving gets ready for a move that the shard has begun, and still serves.
func (s *Session) moving(l *link, e comms.RoomMoving) {
	s.shardAt(e.Addr)
	for _, name := range e.Rooms {
		if r := l.room(name); r != nil {
			s.emit(RoomLink{Room: name, State: LinkMoving, Shard: l.name, Addr: l.addr, Epoch: r.epoch})
		}
	}
}

// movedFrom follows the rooms that the shard has handed over.
func (s *Session) movedFrom(l *link, e comms.RoomMoved) {
	if e.Ticket != "" {
		s.ticket, s.issued = e.Ticket, time.Time{}
	}
	delete(s.fled, e.Addr) // it took the room
	for _, name := range e.Rooms {
		if r := l.room(name); r != nil {
			s.moveTo(r, e.Addr, time.Time{})
		}
	}
}

func (s *Session) welcomed(r *room, e comms.UserJoinedRoom) {
	r.state, r.tries, r.redirects, r.epoch = stateUp, 0, 0, e.Epoch
	r.head = comms.Position{Seq: e.Head, Epoch: e.HeadEpoch}
	if !r.joined {
		r.joined = true
		r.last = r.head
		// A position without its epoch is refused should the store lose it, where
		// one with it is told of the cut.
		if r.after != nil && *r.after != (comms.Position{Seq: e.Head}) {
			r.last = *r.after
		}
		s.emit(Joined{e.Room, e.Users, e.Count, e.Description, comms.Position{Seq: e.Head, Epoch: e.HeadEpoch}, e.Epoch})
	} else if !e.Silent {
		s.emit(People{e.Room, e.Users, e.Count})
	}
	if r.waiter != nil {
		r.waiter <- nil
		r.waiter = nil
	}
	r.down, r.why = false, nil
	if r.doubted {
		r.named, r.doubted = "", false // it knows more by now
	}
	s.tellRouter(r)
	s.emit(RoomLink{Room: r.name, State: LinkUp, Shard: r.shard.name, Addr: r.shard.addr, Epoch: e.Epoch})
}

// tellRouter says at which shard we are for a room, served or to be, if it is
// not the one that the router named: it is to tell us when that one is gone.
func (s *Session) tellRouter(r *room) {
	if s.router != nil && r.shard != nil && r.named != r.shard.addr {
		r.named = r.shard.addr
		s.router.send(comms.Locate{Room: r.name, At: r.named})
	}
}

// record takes one record of the room's stream: each sequence once, in order.
func (s *Session) record(r *room, rec comms.Record) {
	own := -1
	if rec.User == s.user {
		for i, o := range r.outbox {
			if o.ID == rec.ID {
				own = i
				break
			}
		}
	}
	switch {
	case rec.Seq == r.last.Seq+1:
		r.last = comms.Position{Seq: rec.Seq, Epoch: rec.Epoch}
	case rec.Seq <= r.last.Seq && own < 0:
		return // a double
	case rec.Seq <= r.last.Seq:
		// The answer to a repeat whose record we have passed already.
	case own >= 0:
		return // the answer to a repeat overtook the stream, which brings it too
	default:
		s.abandon(r.shard) // a hole: the join with "after" fills it
		return
	}
	m := Message{Room: r.name, Record: rec, Mine: own >= 0}
	if own < 0 {
		s.emit(m)
		return
	}
	s.settle(r.take(own), sendResult{message: m}, m)
	r.freed()
}

func (s *Session) redirected(r *room, e comms.Redirect) {
	if e.Epoch != 0 && e.Epoch < r.epoch {
		e.Addr = "" // older than what an owner told us
	}
	if e.Epoch > r.epoch {
		delete(s.fled, e.Addr) // it has taken the room since
	}
	r.redirects++
	wait := time.Now().Add(time.Duration(e.Retry) * time.Millisecond)
	if e.Addr == "" || r.redirects > maxRedirect {
		r.redirects = 0
		r.fail(errors.New("the room is moving"), time.Duration(e.Retry)*time.Millisecond)
		return
	}
	s.moveTo(r, e.Addr, wait)
}

// expired asks a router for another ticket. Where the one that a shard refuses has
// just come from there, their clocks differ: more of them are no help, and who
// waits for a first join is told.
func (s *Session) expired(l *link, e comms.Error) {
	if wall().Sub(s.issued) > comms.TicketLifetime/2 {
		if s.router != nil {
			s.router.send(comms.Renew{})
		}
		return
	}
	for _, r := range s.rooms {
		if r.shard == l && r.waiter != nil {
			s.gone(r, &RefusedError{e.Code, e.Message})
		}
	}
}

func (s *Session) refused(l *link, e comms.Error) {
	if e.Tag != "" { // a question about the room, and no join or message
		l.answered(e)
		return
	}
	r := s.rooms[e.Room]
	if r == nil || r.shard != l {
		if e.Code == comms.CodeExpired {
			s.expired(l, e)
		}
		l.answered(e)
		return
	}
	refusal := &RefusedError{e.Code, e.Message}
	if e.ID == "" {
		switch {
		case e.Code == comms.CodeUnreadable: // no answer: we are out of the room
			r.fail(refusal, time.Duration(e.Retry)*time.Millisecond)
		case !r.joining():
			l.answered(e)
		case e.Code == comms.CodeJoined:
			s.abandon(l) // an earlier place of ours: end it with its connection
		case comms.Retryable(e.Code):
			r.fail(refusal, time.Duration(e.Retry)*time.Millisecond)
		case e.Code == comms.CodeTooMany && r.joined:
			r.fail(refusal, fullFor) // it moved here: until others are left, or move on
		case l.answered(e):
		default:
			s.gone(r, refusal)
		}
		return
	}
	for i, o := range r.outbox {
		if o.ID != e.ID {
			continue
		}
		switch {
		case e.Code == comms.CodeNotJoined:
			s.abandon(l)
		case comms.Retryable(e.Code):
			if e.Code != comms.CodeOutOfOrder { // one before it was refused, and tells more
				r.why = refusal
			}
			// Everything not acknowledged again, in order; repeats are recognized.
			for _, o := range r.outbox {
				o.sent = false
			}
			if now := time.Now(); !r.blocked.After(now) {
				r.blocked = now.Add(max(time.Duration(e.Retry)*time.Millisecond, minBackoff))
			}
		default:
			s.settle(r.take(i), sendResult{err: refusal}, SendFailed{r.name, o.ID, refusal})
			r.freed()
		}
		return
	}
}

// giveUp is gone for a room that is not served to us; the shard that is asked may
// let us in all the same.
func (s *Session) giveUp(r *room, err error) {
	if r.state == stateJoining && r.asked {
		r.shard.givenUp[r.name] = true
	}
	s.gone(r, err)
}

// gone forgets a room: left, or refused for good.
func (s *Session) gone(r *room, err error) {
	switch there := s.rooms[r.name]; {
	case there != r:
		there.next = nil
	case r.next != nil:
		s.rooms[r.name] = r.next
	default:
		delete(s.rooms, r.name)
	}
	for _, o := range r.outbox {
		refusal := &RefusedError{comms.CodeNotJoined, "the room was left before it was stored"}
		if o.tried {
			refusal = &RefusedError{comms.CodeUnknownFate, "the room was left before it was known whether it is stored"}
		}
		s.settle(o, sendResult{err: refusal}, SendFailed{r.name, o.ID, refusal})
	}
	if r.joined {
		s.emit(Left{r.name, err})
	}
	if r.waiter != nil {
		if err == nil {
			err = ErrLeft
		}
		r.waiter <- err
	}
}
