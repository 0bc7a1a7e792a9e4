package client

import (
	"errors"
	"time"

	"positivity-exchange/comms"
)

// states of a room's link.
type linkState int

const (
	stateIdle     linkState = iota // look for the room when retryAt comes
	stateLocating                  // a router is asked
	stateJoining                   // a shard is asked, or being dialled
	stateUp
)

// room is a room that the user joined. The loop's alone.
type room struct {
	session   *Session
	name      string
	state     linkState
	shard     *link
	hint      string // where to try before asking a router
	asked     bool   // the join was sent over shard
	since     time.Time
	retryAt   time.Time
	tries     int
	redirects int
	epoch     uint64 // the highest an owner named
	last      comms.Position
	head      comms.Position  // when it was joined last
	after     *comms.Position // of the first join
	joined    bool            // answered once: Joined was emitted
	waiter    chan error
	outbox    []*outgoing
	why       error     // what it waits for to be joined, or its messages to be stored; nil: nothing
	held      bool      // Held said so
	blocked   time.Time // send nothing before
	probed    time.Time // last time a router was asked for a room that seems stuck
	named     string    // address that the router watches for us
	doubted   bool      // it named another when it was told of that one, which it may not have known
	tellAt    time.Time // not before, if it watches none
	leaving   bool
	leaveAt   time.Time // when the leave is said again; zero: it is under way
	next      *room     // of a join that came since Leave: it begins when this one is gone
	down      bool      // RoomLink said reconnecting
	downCode  string    // of the refusal that it named, if it did
}

// outgoing is a message without its acknowledgement.
type outgoing struct {
	Pending
	sent  bool      // over the present link, and not refused for now
	tried bool      // sent before at all
	at    time.Time // first sent over the present link, or waiting for those before it; zero if neither

	answer chan sendResult // of Send, while it waits; nil for Post
}

// sendResult is what Send waits for.
type sendResult struct {
	message Message
	err     error
}

// stepRoom does what is due in one room.
func (s *Session) stepRoom(r *room, now time.Time) {
	switch r.state {
	case stateIdle:
		if now.Before(r.retryAt) {
			return
		}
		if r.hint != "" {
			addr := r.hint
			r.hint = ""
			s.goTo(r, addr, now)
			return
		}
		switch {
		case s.router != nil:
			r.state, r.since = stateLocating, now
			s.router.send(comms.Locate{Room: r.name})
		case r.joined && len(s.known) > 0:
			// No router to ask: any shard knows, or knows who knows.
			addr := s.known[r.tries%len(s.known)]
			s.goTo(r, addr, now)
		}
	case stateLocating:
		if s.router == nil || s.router.overdue(r.since, now) {
			r.fail(errors.New("no router answers"), 0)
		}
	case stateJoining:
		if r.mayAsk() && !r.asked {
			r.ask(now)
		} else if fled, ok := s.fled[r.shard.addr]; ok && now.Sub(fled.at) < fledFor && now.Sub(r.since) > fled.patient && now.Sub(s.behind) > fled.patient {
			l := r.shard
			fled.patient *= 2 // it may only be slow
			s.fled[l.addr] = fled
			r.fail(errors.New("the shard does not answer"), 0)
			s.dropUnused(l)
		} else if r.shard.overdue(r.since, now) {
			s.abandon(r.shard)
		}
	case stateUp:
		switch {
		case !r.leaving:
			r.flush(now)
			r.hold(now)
		case !r.leaveAt.IsZero() && !now.Before(r.leaveAt):
			r.leave()
		case r.next != nil && r.leaveAt.IsZero() && r.shard.overdue(r.since, now):
			s.abandon(r.shard) // a join waits for its answer
		}
		if r.named == "" && !now.Before(r.tellAt) {
			s.tellRouter(r)
		}
		if s.router != nil && r.asksWhere(now) {
			r.probed = now
			s.router.send(comms.Locate{Room: r.name})
		}
	}
}

// abandon gives up the connection to a shard that does not answer. Its rooms are
// lost with it, and look for another.
func (s *Session) abandon(l *link) {
	if l.conn != nil {
		l.conn.Close() //nolint:errcheck // its reader reports it
		return
	}
	// Still dialling: forget it, and let go of its rooms here.
	l.close()
	if s.shards[l.addr] == l {
		delete(s.shards, l.addr)
	}
	for _, r := range s.rooms {
		if r.shard == l {
			s.lost(r, errors.New("the shard does not answer"))
		}
	}
}

func (s *Session) located(r *room, addr string) {
	r.named = addr
	switch {
	case r.state == stateLocating:
		s.goTo(r, addr, time.Now())
	case r.state == stateUp && r.shard.addr != addr && r.probed.Add(answerIn).After(time.Now()) && len(r.outbox) > 0:
		// Who takes over cannot know whether its present shard still hears us,
		// and may send us back for that shard to settle.
		l := r.shard
		s.moveTo(r, addr, time.Time{})
		s.flee(l)
		return
	}
	s.tellRouter(r) // where the room stays, it watches its guess now
}

// flee follows the departure of a room from a shard that does not answer: who
// is sent back there must not wait long.
func (s *Session) flee(l *link) {
	s.fled[l.addr] = flight{time.Now(), deafFor}
	s.dropUnused(l)
}

// dropUnused closes a connection that hangs, once no room is on it. Who comes
// back later must not wait for what the network still has to send over it.
func (s *Session) dropUnused(l *link) {
	for _, r := range s.rooms {
		if r.shard == l {
			return
		}
	}
	l.close()
	if s.shards[l.addr] == l {
		delete(s.shards, l.addr)
	}
}

// goTo joins the room at addr.
func (s *Session) goTo(r *room, addr string, now time.Time) {
	r.shard = s.shardAt(addr)
	r.state, r.asked, r.since = stateJoining, false, now
	for _, o := range r.outbox {
		o.sent, o.at = false, time.Time{}
	}
	if r.mayAsk() {
		r.ask(now) // at once: people wait, and the loop's next turn may be a tick away
	}
	r.doubted = false
	s.tellRouter(r) // also if it never welcomes us
}

// mayAsk tells that the shard takes a join, and has none left to undo, nor a leave
// to answer, which would be taken for the join's.
func (r *room) mayAsk() bool {
	return r.shard.up && !r.shard.givenUp[r.name] && !r.shard.leaves(r.name)
}

// joining tells that the shard is to answer a join.
func (r *room) joining() bool { return r.state == stateJoining && r.asked }

// ask sends the join to the shard that serves the room, as far as we know.
func (r *room) ask(now time.Time) {
	r.asked, r.since = true, now
	join := comms.JoinRoom{Room: r.name, After: r.after}
	if r.joined {
		join.After = &r.last
	}
	r.shard.send(join)
}

// leave asks the shard to let go of the room.
func (r *room) leave() {
	r.leaving, r.leaveAt, r.since = true, time.Time{}, time.Now()
	r.shard.ask(&waiter{leave: r, unsent: comms.LeaveRoom{Room: r.name}, matches: func(e comms.Event) bool {
		switch e := e.(type) {
		case comms.RoomLeft:
			return e.Room == r.name
		case comms.Error:
			return e.Tag == "" && refuses(e, r.name)
		}
		return refuses(e, r.name)
	}})
}

// left takes the answer to the leave. Elsewhere, or not joined, is left as well.
func (r *room) left(e comms.Event) {
	if r.session.rooms[r.name] != r {
		return // it went before, with a move
	}
	if refused, ok := e.(comms.Error); ok && comms.Retryable(refused.Code) {
		r.leaveAt = time.Now().Add(max(time.Duration(refused.Retry)*time.Millisecond, minBackoff))
		return
	}
	r.session.gone(r, nil)
}

// asksWhere tells that the present shard has not stored our oldest message for
// long, and that a router was not just asked where the room is. A refusal is no
// news: a shard that is cut from its log refuses as long as it stands.
func (r *room) asksWhere(now time.Time) bool {
	if len(r.outbox) == 0 || r.outbox[0].at.IsZero() {
		return false
	}
	stuck, every := now.Sub(r.outbox[0].at), probeEvery
	if stuck > 2*answerIn {
		every = probeLater
	}
	return stuck > stuckAfter && now.Sub(r.probed) > every
}

// moveTo leaves the present shard, at which the room is not served any more.
func (s *Session) moveTo(r *room, addr string, when time.Time) {
	if r.leaving {
		s.gone(r, nil)
		return
	}
	r.state, r.shard, r.hint, r.retryAt = stateIdle, nil, addr, when
}

// lost is called when a room's connection broke: once more at once, since it
// may have been the network's fault; then a router is asked.
func (s *Session) lost(r *room, err error) {
	if r.state == stateUp {
		r.hint = r.shard.addr
	}
	r.shard = nil
	r.fail(err, 0)
	if r.hint != "" {
		r.retryAt = time.Time{}
	}
}

// fail goes back to looking for the room, after a pause that grows.
func (r *room) fail(err error, retry time.Duration) {
	if r.leaving {
		// Who comes to serve it hears no word of us, and counts us out.
		r.session.gone(r, nil)
		return
	}
	r.state, r.shard, r.why = stateIdle, nil, err
	r.retryAt = time.Now().Add(max(retry, backoff(r.tries)))
	r.tries++
	var refused *RefusedError
	code := ""
	if errors.As(err, &refused) && refused.Code != comms.CodeNotReady { // which is over soon
		code = refused.Code
	}
	if !r.down || code != "" && code != r.downCode {
		r.down, r.downCode = true, code
		r.session.emit(RoomLink{Room: r.name, State: LinkReconnecting, Err: err})
	}
}

// flush sends what is not under way yet.
func (r *room) flush(now time.Time) {
	if now.Before(r.blocked) {
		return
	}
	for i, o := range r.outbox {
		if i >= window {
			return
		}
		if o.sent {
			continue
		}
		if o.at.IsZero() {
			o.at = now
		}
		if r.shard.out.full() {
			return
		}
		if o.Topic {
			r.shard.send(comms.SetTopic{Room: r.name, Topic: o.Content, ID: o.ID, Again: o.tried, Seen: o.seen()})
		} else {
			r.shard.send(comms.SendMessage{Room: r.name, Content: o.Content, ID: o.ID, Again: o.tried, Seen: o.seen()})
		}
		if !o.tried {
			o.Seen = r.last.Seq
		}
		o.sent, o.tried = true, true
	}
}

// hold tells once that messages wait for longer than a shard takes to pause.
func (r *room) hold(now time.Time) {
	if r.why != nil && !r.held && len(r.outbox) > 0 && !r.outbox[0].at.IsZero() && now.Sub(r.outbox[0].at) > heldAfter {
		r.held = true
		r.session.emit(Held{r.name, r.why})
	}
}

// freed notes that the shard has taken or settled a message.
func (r *room) freed() {
	r.why = nil
	if r.held {
		r.held = false
		r.session.emit(Held{Room: r.name})
	}
}

// take takes a message out of the outbox. It is among those that are under way, the
// first few: of a long outbox the rest stays where it is.
func (r *room) take(i int) *outgoing {
	o := r.outbox[i]
	copy(r.outbox[1:i+1], r.outbox[:i])
	r.outbox[0] = nil
	r.outbox = r.outbox[1:]
	return o
}

func (o *outgoing) seen() uint64 {
	if o.tried {
		return o.Seen
	}
	return 0
}
