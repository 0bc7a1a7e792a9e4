package stress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	connectors = 16 // connections made at a time
	maxTries   = 40 // answers "elsewhere" or "later" to one join
)

// attach logs session i in and connects it to every server that its rooms are
// on, then asks to join them. The answers come to feed.
func (e *engine) attach(ctx context.Context, s *session, first int) error {
	var err error
	if s.ticket, err = e.dialect.Login(ctx, s.user); err != nil {
		return fmt.Errorf("%s logs in: %w", s.user, err)
	}
	for j := range e.profile.Joins {
		if err := e.sit(ctx, s, &seat{room: e.rooms[(first+j)%len(e.rooms)], session: s}, ""); err != nil {
			return err
		}
	}
	return nil
}

// sit asks for a room at addr, or where the dialect has it.
func (e *engine) sit(ctx context.Context, s *session, st *seat, addr string) error {
	if addr == "" {
		addr = e.dialect.Place(st.room.Name)
	}
	e.mu.Lock()
	i := slices.IndexFunc(s.links, func(l *link) bool { return l.addr == addr })
	e.mu.Unlock()
	if i < 0 {
		nc, err := e.dialect.Connect(ctx, addr, s.user, s.ticket)
		if err != nil {
			return fmt.Errorf("%s connects to %s: %w", s.user, addr, err)
		}
		e.mu.Lock()
		if e.closing {
			e.mu.Unlock()
			nc.Close() //nolint:errcheck // nothing was said on it
			return context.Canceled
		}
		l := &link{engine: e, addr: addr, owner: s}
		s.links = append(s.links, l)
		i = len(s.links) - 1
		err = e.open(l, nc)
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := s.links[i]
	if st.link == nil {
		e.missing++
		st.room.seats = append(st.room.seats, st)
		s.seats = append(s.seats, st)
		p := e.profile
		if !p.silent() && (p.Senders == All || len(st.room.speakers) < p.Senders) {
			if len(e.speakers) > maxSpeakers {
				return errors.New("too many speakers for one run")
			}
			st.speaker = &speaker{id: uint32(len(e.speakers)), local: st.room.locals, seat: st}
			st.room.locals++
			e.speakers = append(e.speakers, st.speaker)
			st.room.speakers = append(st.room.speakers, st.speaker)
			s.speakers = append(s.speakers, st.speaker)
		}
	} else {
		st.link.seats = slices.DeleteFunc(st.link.seats, func(other *seat) bool { return other == st })
	}
	st.link = l
	l.seats = append(l.seats, st)
	l.out = e.dialect.AppendJoin(l.out, &st.room.Room)
	l.flush()
	return nil
}

// again joins a room elsewhere or later. The caller holds e.mu.
func (e *engine) again(st *seat, addr string, retry time.Duration, text string) {
	st.tries++
	if st.tries > maxTries || addr == "" && retry == 0 {
		e.fail(fmt.Errorf("#%s cannot be joined at %s after %d tries: %s", st.room.Name, st.link.addr, st.tries, text))
		return
	}
	at := st.link.addr
	if addr != "" {
		at = addr
	}
	e.wg.Go(func() {
		select {
		case <-time.After(retry):
		case <-e.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(e.ctx, connectTimeout)
		defer cancel()
		if err := e.sit(ctx, st.session, st, at); err != nil {
			e.mu.Lock()
			e.fail(err)
			e.mu.Unlock()
		}
	})
}

// seated takes the answer to a join. The caller holds e.mu.
func (e *engine) seated(s *seat, head uint64) {
	if s.joined {
		e.fail(fmt.Errorf("#%s answered a join twice", s.room.Name))
		return
	}
	s.joined, s.next, e.news = true, head+1, true
	e.missing--
	e.joined++
	if r := s.room; !r.open || head < r.base {
		// A later joiner may be told an older head only while nothing was said.
		if r.open && len(r.book) > 0 {
			e.wrong(fmt.Errorf("#%s: head %d told behind number %d", r.Name, head, r.base+uint64(len(r.book))))
			return
		}
		r.open, r.base = true, head
	}
	if !e.numbered {
		// Without numbers, what was said before is not owed to a newcomer.
		s.know(s.room.locals, !e.sending)
		if s.speaker != nil {
			s.heard[s.speaker.local] = 0
		}
	}
	if len(s.session.seats) == e.profile.Joins && !slices.ContainsFunc(s.session.seats, func(other *seat) bool { return !other.joined }) {
		e.arrivals.RecordValue(int64((e.now() - s.session.began) / time.Microsecond)) //nolint:errcheck // as above
		if e.sending {
			e.talk(s.session, 1, 1)
		}
	}
}

// unseated takes the answer to a leave. The caller holds e.mu.
func (e *engine) unseated(s *seat) {
	remove := func(list []*seat) []*seat {
		return slices.DeleteFunc(list, func(other *seat) bool { return other == s })
	}
	s.link.seats, s.room.seats, s.session.seats = remove(s.link.seats), remove(s.room.seats), remove(s.session.seats)
	if s.speaker != nil {
		s.room.speakers = slices.DeleteFunc(s.room.speakers, func(other *speaker) bool { return other == s.speaker })
	}
	e.joined--
	e.news = true
}

// arrive brings count sessions, evenly over a time, and returns once they sit
// in all their rooms.
func (e *engine) arrive(ctx context.Context, count int, over time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	tickets := make(chan int)
	for range min(connectors, count) {
		wg.Go(func() {
			for i := range tickets {
				if err := e.attach(ctx, e.newSession(), i); err != nil && ctx.Err() == nil {
					cancel(err)
				}
			}
		})
	}
	start := time.Now()
	for i := range count {
		if wait := time.Until(start.Add(over * time.Duration(i) / time.Duration(count))); wait > 0 {
			pause(ctx, wait) //nolint:errcheck // the select below looks too
		}
		select {
		case tickets <- i:
			continue
		case <-ctx.Done():
		case <-e.failed:
			cancel(e.fault)
		}
		break
	}
	close(tickets)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	limited, stop := context.WithTimeoutCause(ctx, joinTimeout, errors.New("rooms were not joined within "+joinTimeout.String()))
	defer stop()
	return e.await(limited, func() bool { return e.missing == 0 })
}

func (e *engine) newSession() *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &session{began: e.now(), user: fmt.Sprintf("st-%s-%d", e.nonce, e.users)}
	e.users++
	e.sessions = append(e.sessions, s)
	return s
}
