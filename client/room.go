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
	blocked   time.Time // send nothing before
	probed    time.Time // last time a router was asked for a room that seems stuck
	named     string    // address that the router watches for us
	told      int       // answers of the router to our own word of where the room is
	leaving   bool
	down      bool // RoomLink said reconnecting
}

// outgoing is a message without its acknowledgement.
type outgoing struct {
	Pending
	topic bool
	sent  bool // over the present link
	tried bool // sent before at all
	at    time.Time

	answer chan sendResult // of Send; nil for Post
}

// sendResult is what Send waits for.
type sendResult struct {
	message Message
	err     error
}

func (o *outgoing) settle(r sendResult) {
	if o.answer != nil {
		o.answer <- r
	}
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
		case s.router != nil && s.router.up:
			r.state, r.since = stateLocating, now
			s.router.send(comms.Locate{Room: r.name})
		case r.joined && len(s.known) > 0:
			// No router to ask: any shard knows, or knows who knows.
			addr := s.known[r.tries%len(s.known)]
			s.goTo(r, addr, now)
		}
	case stateLocating:
		if now.Sub(r.since) > answerIn || s.router == nil {
			r.fail(errors.New("no router answers"), 0)
		}
	case stateJoining:
		if r.shard.up && !r.asked {
			r.asked, r.since = true, now
			join := comms.JoinRoom{Room: r.name, After: r.after}
			if r.joined {
				join.After = &r.last
			}
			r.shard.send(join)
		} else if fled, ok := s.fled[r.shard.addr]; ok && now.Sub(fled) < fledFor && now.Sub(r.since) > deafFor {
			l := r.shard
			r.fail(errors.New("the shard does not answer"), 0)
			s.dropUnused(l)
		} else if now.Sub(r.since) > answerIn {
			s.abandon(r.shard)
		}
	case stateUp:
		r.flush(now)
		if len(r.outbox) > 0 && r.outbox[0].sent && now.Sub(r.outbox[0].at) > stuckAfter && now.Sub(r.probed) > probeEvery && s.router != nil && s.router.up {
			r.probed = now
			s.router.send(comms.Locate{Room: r.name})
		}
	}
}

// abandon closes a connection that does not answer; its reader reports the end.
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
	if r.told > 0 {
		r.told--
		return
	}
	r.named = addr
	switch {
	case r.state == stateLocating:
		s.goTo(r, addr, time.Now())
	case r.state == stateUp && r.shard.addr != addr && r.probed.Add(answerIn).After(time.Now()) && len(r.outbox) > 0:
		// Who takes over cannot know whether its present shard still hears us,
		// and may send us back for that shard to settle.
		l := r.shard
		s.fled[l.addr] = time.Now()
		s.moveTo(r, addr, time.Time{})
		s.dropUnused(l)
	}
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
		o.sent = false
	}
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
	r.state, r.shard = stateIdle, nil
	r.retryAt = time.Now().Add(max(retry, backoff(r.tries)))
	r.tries++
	if !r.down {
		r.down = true
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
		if o.topic {
			r.shard.send(comms.SetTopic{Room: r.name, Topic: o.Content, ID: o.ID, Again: o.tried, Seen: o.seen()})
		} else {
			r.shard.send(comms.SendMessage{Room: r.name, Content: o.Content, ID: o.ID, Again: o.tried, Seen: o.seen()})
		}
		if !o.tried {
			o.Seen = r.last.Seq
		}
		o.sent, o.tried, o.at = true, true, now
	}
}

func (o *outgoing) seen() uint64 {
	if o.tried {
		return o.Seen
	}
	return 0
}

// fromShard handles what a shard said.
func (s *Session) fromShard(l *link, e comms.Event) {
	delete(s.fled, l.addr)
	at := func(name string) *room {
		if r := s.rooms[name]; r != nil && r.shard == l {
			return r
		}
		return nil
	}
	switch e := e.(type) {
	case comms.Welcome:
		l.up, l.name, s.ticket = true, e.Name, e.Ticket
	case comms.Ticket:
		s.ticket = e.Ticket
	case comms.UserJoinedRoom:
		if r := at(e.Room); r != nil && r.state == stateJoining {
			s.welcomed(r, e)
		}
	case comms.UserMessage:
		if r := at(e.Room); r != nil {
			s.record(r, comms.Record{Kind: comms.KindMessage, Seq: e.Seq, Epoch: e.Epoch, User: e.User, ID: e.ID, Time: e.Time, Content: e.Content})
		}
	case comms.TopicChanged:
		if r := at(e.Room); r != nil {
			s.record(r, comms.Record{Kind: comms.KindTopic, Seq: e.Seq, Epoch: e.Epoch, User: e.User, ID: e.ID, Time: e.Time, Content: e.Topic})
		}
	case comms.HistoryCut:
		if r := at(e.Room); r != nil {
			r.last = comms.Position{Seq: e.At}
			if e.At == r.head.Seq {
				r.last = r.head // else the next record tells the epoch at once
			}
			s.emit(Cut{e.Room, e.At})
		}
	case comms.Presence:
		if at(e.Room) != nil {
			s.emit(Presence{e.Room, e.Joined, e.Left, e.Count})
		}
	case comms.PresenceList:
		if at(e.Room) != nil {
			s.emit(People{e.Room, e.Users, e.Count})
		}
	case comms.RoomMoving:
		s.shardAt(e.Addr)
		for _, name := range e.Rooms {
			if r := at(name); r != nil {
				s.emit(RoomLink{Room: name, State: LinkMoving, Shard: l.name, Addr: l.addr, Epoch: r.epoch})
			}
		}
	case comms.RoomMoved:
		if e.Ticket != "" {
			s.ticket = e.Ticket
		}
		for _, name := range e.Rooms {
			if r := at(name); r != nil {
				s.moveTo(r, e.Addr, time.Time{})
			}
		}
	case comms.RoomLeft:
		if r := at(e.Room); r != nil && r.leaving {
			s.gone(r, nil)
		}
	case comms.Redirect:
		if r := at(e.Room); r != nil && (e.ID != "" || r.state == stateJoining) {
			s.redirected(r, e)
			return
		}
		l.answered(e)
	case comms.Error:
		s.refused(l, e)
	default: // Located, HistoryPage, RoomCreated: answers
		l.answered(e)
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
	r.down = false
	s.tellRouter(r)
	s.emit(RoomLink{Room: r.name, State: LinkUp, Shard: r.shard.name, Addr: r.shard.addr, Epoch: e.Epoch})
}

// tellRouter says which shard serves a room, if it is not the one that the
// router named: it is to tell us when that one is gone.
func (s *Session) tellRouter(r *room) {
	if s.router != nil && s.router.up && r.shard != nil && r.named != r.shard.addr {
		r.named = r.shard.addr
		r.told++
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
	if own >= 0 {
		r.outbox[own].settle(sendResult{message: m})
		r.outbox = append(r.outbox[:own:own], r.outbox[own+1:]...)
	}
	s.emit(m)
}

func (s *Session) redirected(r *room, e comms.Redirect) {
	if e.Epoch != 0 && e.Epoch < r.epoch {
		e.Addr = "" // older than what an owner told us
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

func (s *Session) refused(l *link, e comms.Error) {
	r := s.rooms[e.Room]
	if r == nil || r.shard != l {
		if e.Code == comms.CodeExpired && s.router != nil {
			s.router.send(comms.Renew{})
		}
		l.answered(e)
		return
	}
	refusal := &Refused{e.Code, e.Message}
	if e.ID == "" {
		switch {
		case r.state != stateJoining:
			l.answered(e)
		case e.Code == comms.CodeJoined:
			s.abandon(l) // an earlier place of ours: end it with its connection
		case comms.Retryable(e.Code):
			r.fail(refusal, time.Duration(e.Retry)*time.Millisecond)
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
			// Everything not acknowledged again, in order; repeats are recognized.
			for _, o := range r.outbox {
				o.sent = false
			}
			if now := time.Now(); !r.blocked.After(now) {
				r.blocked = now.Add(max(time.Duration(e.Retry)*time.Millisecond, minBackoff))
			}
		default:
			r.outbox = append(r.outbox[:i:i], r.outbox[i+1:]...)
			o.settle(sendResult{err: refusal})
			s.emit(SendFailed{r.name, o.ID, refusal})
		}
		return
	}
}

// gone forgets a room: left, or refused for good.
func (s *Session) gone(r *room, err error) {
	delete(s.rooms, r.name)
	for _, o := range r.outbox {
		refusal := &Refused{comms.CodeNotJoined, "the room was left before it was stored"}
		o.settle(sendResult{err: refusal})
		s.emit(SendFailed{r.name, o.ID, refusal})
	}
	if r.waiter != nil {
		r.waiter <- err
	}
	if r.joined {
		s.emit(Left{r.name})
	}
}
