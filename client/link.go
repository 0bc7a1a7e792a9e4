package client

import (
	"context"
	"slices"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
)

// link is one connection, to a router or a shard.
type link struct {
	session *Session
	addr    string
	conn    *comms.Conn   // nil until the dial is done
	out     *writer       // to conn
	ended   chan struct{} // closed once nothing is read from it any more
	name    string
	up      bool // welcomed
	closed  bool
	waiting []*waiter
	givenUp map[string]bool // rooms whose join was sent over it and given up since, until it is undone
	locates []comms.Locate  // to a router, that it has not answered, oldest first
	reads   uint64          // of conn, at the last look
	heard   time.Time       // when it was seen last that something came, be it a part of an event
	asked   time.Time       // when it was dialled, or last written to since it said something; zero: nothing is due
}

// flight is that a room fled from a shard that did not answer.
type flight struct {
	at      time.Time
	patient time.Duration // how long the next join there may take
}

// waiter is a request that waits for its answer on a link.
type waiter struct {
	matches func(comms.Event) bool
	answer  chan comms.Event // closed if the link breaks
	leave   *room            // that the request leaves, if it does: it is told instead
	unsent  comms.Command    // what goes out once the link is up; nil if it has
}

func (l *link) close() {
	l.closed = true
	if l.conn != nil {
		l.conn.Close() //nolint:errcheck // it is over either way
	}
	for _, w := range l.waiting {
		if w.leave == nil {
			close(w.answer)
		}
	}
	l.waiting = nil
}

func (l *link) send(commands ...comms.Command) {
	if l.conn != nil && !l.closed {
		if l.asked.IsZero() {
			l.asked = time.Now()
		}
		for _, c := range commands {
			if locate, ok := c.(comms.Locate); ok && l == l.session.router {
				l.locates = append(l.locates, locate)
			}
		}
		l.out.send(commands...)
	}
}

// listen notes whether something came since the last look.
func (l *link) listen(now time.Time) {
	if l.conn == nil {
		return
	}
	if reads := l.conn.Reads(); reads != l.reads {
		l.reads, l.heard = reads, now
	}
}

// overdue tells that an answer which l has owed since then should be there: it is
// silent, or brought other things for very long, and we have read what it said. A
// long answer, or one behind much else, takes its time over a slow network.
func (l *link) overdue(since, now time.Time) bool {
	owed := now.Sub(since)
	return owed > answerIn && now.Sub(l.session.behind) > answerIn && (now.Sub(l.heard) > answerIn || owed > slowIn)
}

// ask sends a request, or lets it wait until the link is up.
func (l *link) ask(w *waiter) {
	l.waiting = append(l.waiting, w)
	if l.up {
		l.sendUnsent()
	}
}

func (l *link) sendUnsent() {
	for _, w := range l.waiting {
		if w.unsent != nil {
			l.send(w.unsent)
			w.unsent = nil
		}
	}
}

// withdraw forgets a request that has not gone out: nobody waits for its answer.
func (l *link) withdraw(w *waiter) {
	if i := slices.Index(l.waiting, w); i >= 0 && w.unsent != nil {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
}

// welcomed notes that the other side has let us in.
func (l *link) welcomed(name string) {
	l.up, l.name = true, name
	l.sendUnsent()
}

// open dials and says hello; handle gets every event, lost the end. Both run in the loop.
func (s *Session) open(l *link, hello comms.Hello, handle func(comms.Event), lost func(error)) {
	l.ended = make(chan struct{})
	s.wg.Go(func() {
		defer close(l.ended)
		nc, err := s.opts.Dial(s.ctx, l.addr)
		if err != nil {
			s.post(func() { lost(err) })
			return
		}
		conn := comms.NewClientConn(nc)
		conn.SetIdle(silentFor)
		stop := context.AfterFunc(s.ctx, func() { conn.Close() }) //nolint:errcheck // ends the reads
		defer stop()
		if err := conn.WriteCommand(hello); err != nil {
			conn.Close() //nolint:errcheck // the first error counts
			s.post(func() { lost(err) })
			return
		}
		out := newWriter(conn, s.wrote)
		s.wg.Go(out.run)
		defer out.finish()
		s.post(func() {
			l.conn, l.out = conn, out
			if l.closed {
				conn.Close() //nolint:errcheck // not wanted any more
			}
		})
		for {
			e, err := conn.ReadEvent()
			if told, ok := e.(comms.Error); ok && told.Code == comms.CodeTLS {
				err = &told
			}
			if err != nil {
				conn.Close() //nolint:errcheck // the first error counts
				s.post(func() { lost(err) })
				return
			}
			if ping, ok := e.(comms.PingEvent); ok {
				out.send(comms.Pong(ping))
				continue
			}
			s.post(func() {
				if !l.closed {
					l.asked = time.Time{}
					handle(e)
				}
			})
		}
	})
}

// located takes the question that a router has just answered: it answers those
// about a room in their order.
func (l *link) located(room string) (question comms.Locate) {
	i := slices.IndexFunc(l.locates, func(c comms.Locate) bool { return c.Room == room })
	if i >= 0 {
		question = l.locates[i]
		l.locates = slices.Delete(l.locates, i, i+1)
	}
	return question
}

// tells reports whether the router may not have heard yet where we are.
func (l *link) tells(room string) bool {
	return slices.ContainsFunc(l.locates, func(c comms.Locate) bool { return c.Room == room && c.At != "" })
}

// leaves reports whether a leave of the room waits for its answer.
func (l *link) leaves(room string) bool {
	return slices.ContainsFunc(l.waiting, func(w *waiter) bool { return w.leave != nil && w.leave.name == room })
}

// answered hands e to the first request that waits for it: a shard answers in
// order, and many a refusal does not say of what.
func (l *link) answered(e comms.Event) bool {
	for i, w := range l.waiting {
		if w.matches(e) {
			l.waiting = slices.Delete(l.waiting, i, i+1)
			if w.leave != nil {
				w.leave.left(e)
			} else {
				w.answer <- e
			}
			return true
		}
	}
	return false
}

// undone takes what a shard answers to a join that was given up, and to its end:
// who was let in leaves at once. No other join goes there before: it would be
// refused, or take the answers to the first for its own.
func (l *link) undone(e comms.Event) bool {
	room := ""
	switch e := e.(type) {
	case comms.UserJoinedRoom:
		if !l.givenUp[e.Room] {
			return false
		}
		l.send(comms.LeaveRoom{Room: e.Room})
		return true
	case comms.RoomLeft:
		room = e.Room
	case comms.Redirect:
		if e.ID == "" {
			room = e.Room
		}
	case comms.Error:
		if e.Code == comms.CodeJoined && l.givenUp[e.Room] { // by a join before
			l.send(comms.LeaveRoom{Room: e.Room})
			return true
		}
		if e.ID == "" && e.Tag == "" {
			room = e.Room
		}
	}
	was := l.givenUp[room]
	delete(l.givenUp, room)
	return was
}

// shardAt returns the connection to a shard, opening it if there is none.
func (s *Session) shardAt(addr string) *link {
	if l := s.shards[addr]; l != nil {
		return l
	}
	l := &link{session: s, addr: addr, givenUp: map[string]bool{}}
	s.shards[addr] = l
	delete(s.trouble, addr)
	s.known = slices.DeleteFunc(s.known, func(known string) bool { return known == addr })
	s.known = slices.Insert(s.known, 0, addr)
	s.known = s.known[:min(len(s.known), maxKnown)]
	s.open(l, comms.Hello{Version: comms.Version, User: s.user, Ticket: s.ticket}, func(e comms.Event) { s.fromShard(l, e) }, func(err error) {
		l.close()
		if s.shards[addr] == l {
			delete(s.shards, addr)
		}
		if tlsconn.Trouble(err) {
			s.trouble[addr] = err
		}
		if s.closing {
			return // it hung up because it was told to
		}
		for _, r := range s.rooms {
			switch {
			case r.shard != l:
			case r.waiter != nil && tlsconn.Trouble(err):
				s.gone(r, err) // the first join: somebody waits, and can do something
			default:
				s.lost(r, err)
			}
		}
	})
	return l
}
