package client

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"positivity-exchange/comms"
)

// stepRouter does what is due with routers.
func (s *Session) stepRouter(now time.Time) {
	if now.Sub(s.renewed) > renewEvery {
		s.renewTicket(now)
	}
	if s.router != nil {
		s.leaveSilent(s.router, now)
	}
	for _, l := range slices.Clone(s.asking) {
		s.leaveSilent(l, now)
	}
	if s.router == nil && !now.Before(s.retryAt) {
		s.askNextRouter(now)
	}
}

// leaveSilent ends a connection to a router that is asked and does not answer: it
// may stand still, with the shard that it should tell us of, and its silence alone
// is noticed late.
func (s *Session) leaveSilent(l *link, now time.Time) {
	l.listen(now)
	if !l.asked.IsZero() && l.overdue(l.asked, now) {
		s.lostRouter(l, errors.New("the router does not answer"))
		s.retryAt = time.Time{} // it was waited for long enough
	}
}

// askNextRouter asks one more router, beside those that were not quick to answer:
// they may be without power, or only slow. The first to welcome us is the one.
func (s *Session) askNextRouter(now time.Time) {
	asked := func(addr string) bool {
		return slices.ContainsFunc(s.asking, func(l *link) bool { return l.addr == addr })
	}
	for range s.opts.Routers {
		addr := s.opts.Routers[s.next%len(s.opts.Routers)]
		s.next++
		if !asked(addr) {
			s.askRouterAt(addr, now)
			return
		}
	}
}

func (s *Session) askRouterAt(addr string, now time.Time) {
	l := &link{session: s, addr: addr, asked: now}
	s.asking, s.retryAt = append(s.asking, l), now.Add(besideIn)
	var refusal *RefusedError
	s.open(l, comms.Hello{Version: comms.Version, User: s.user}, func(e comms.Event) {
		if refused, ok := e.(comms.Error); ok && !l.up && !comms.Retryable(refused.Code) {
			refusal = &RefusedError{refused.Code, refused.Message}
			if refused.Code == comms.CodeBadTicket { // a router gives them out, and asks for none
				refusal.Message = addr + " is a shard, not a router"
			}
			l.conn.Close() //nolint:errcheck // its reader reports it
			return
		}
		s.fromRouter(l, e)
	}, func(err error) {
		if refusal != nil {
			err = refusal
		}
		s.lostRouter(l, err)
	})
}

// lostRouter lets go of a router; the next one is asked. Connect is told, or who
// reads Events once there was a login: before, nobody does.
func (s *Session) lostRouter(l *link, err error) {
	l.close()
	if i := slices.Index(s.asking, l); i >= 0 {
		s.asking, s.retryAt = slices.Delete(s.asking, i, i+1), time.Now().Add(backoff(s.tries))
	} else if s.router == l {
		s.router, s.retryAt = nil, time.Time{} // the next one at once
	} else {
		return // let go before
	}
	s.tries++
	if !s.renewed.IsZero() {
		s.emit(RouterLink{Up: false, Addr: l.addr, Err: err})
		return
	}
	s.logger.Info("no login", "addr", l.addr, "err", err)
	select {
	case s.login <- loginEnd{l.addr, err}:
	default:
	}
}

// renewTicket asks the router, or while there is none any shard, for a new ticket.
func (s *Session) renewTicket(now time.Time) {
	issuer := s.router
	for _, l := range s.shards {
		if issuer == nil || !issuer.up {
			issuer = l
		}
	}
	if issuer != nil && issuer.up {
		s.renewed = now
		issuer.send(comms.Renew{})
	}
}

// wall is the time by the clock on the wall, which goes on while the machine
// sleeps, and by which tickets expire.
func wall() time.Time { return time.Now().Round(0) }

// fromRouter handles what a router said.
func (s *Session) fromRouter(l *link, e comms.Event) {
	switch e := e.(type) {
	case comms.Welcome:
		s.welcomedBy(l, e)
	case comms.Ticket:
		s.ticket, s.issued = e.Ticket, wall()
	case comms.Located:
		question, r := l.located(e.Room), s.rooms[e.Room]
		if question.At != "" { // an answer to our own word is no news
			if r != nil && r.state == stateJoining && r.named == question.At {
				r.doubted = e.Addr != question.At
			}
			return
		}
		if r != nil {
			s.located(r, e.Addr)
		}
		l.answered(e)
	case comms.RoomMoved:
		for _, name := range e.Rooms {
			if r := s.rooms[name]; r != nil {
				s.moved(l, r, e)
			}
		}
	case comms.Error:
		s.notLocated(l, e)
	default:
		l.answered(e)
	}
}

// welcomedBy takes the router that let us in for the one to ask from now on.
func (s *Session) welcomedBy(l *link, e comms.Welcome) {
	if !s.renewed.IsZero() && e.Cluster != s.cluster {
		s.lostRouter(l, ErrAnotherCluster) // an address can lead elsewhere today
		return
	}
	l.welcomed(e.Name)
	s.router = l
	for _, other := range s.asking {
		if other != l {
			other.close()
		}
	}
	s.asking = nil
	s.user, s.cluster, s.renewed, s.tries = e.User, e.Cluster, time.Now(), 0
	s.ticket, s.issued = e.Ticket, wall()
	s.emit(RouterLink{Up: true, Addr: l.addr})
	select {
	case <-s.login: // an earlier failure nobody has read
	default:
	}
	s.login <- loginEnd{addr: l.addr}
	for _, r := range s.rooms {
		r.named, r.retryAt = "", time.Time{}
		if r.state == stateLocating {
			r.state = stateIdle // it was another router that was asked
		}
		s.tellRouter(r) // so that it tells of the room's moves
	}
}

// moved follows a router's word that another shard is to serve the room.
func (s *Session) moved(l *link, r *room, e comms.RoomMoved) {
	from, watched := r.shard, r.named
	meant := !l.tells(r.name)
	if meant {
		r.named = e.Addr // it watches this one from now on
	}
	if from != nil && from.addr == e.Addr {
		return
	}
	var spread time.Duration
	if e.Spread > 0 {
		spread = rand.N(time.Duration(e.Spread) * time.Millisecond)
	}
	delete(s.fled, e.Addr) // it is to serve, and was not gone before
	s.moveTo(r, e.Addr, time.Now().Add(spread))
	if from != nil && meant && from.addr == watched {
		s.flee(from) // it is gone: who takes over may not know yet, and send us back
	}
}

// notLocated takes a router's refusal, of a question about a room or of another.
func (s *Session) notLocated(l *link, e comms.Error) {
	question, r := l.located(e.Room), s.rooms[e.Room]
	retry := time.Duration(e.Retry) * time.Millisecond
	if question.At != "" {
		if r != nil { // it may not watch what we told it of
			r.named, r.tellAt = "", time.Now().Add(max(retry, probeEvery))
		}
		return
	}
	if r != nil && r.state == stateLocating {
		r.fail(&RefusedError{e.Code, e.Message}, retry)
	}
	l.answered(e)
}
