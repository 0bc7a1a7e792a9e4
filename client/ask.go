package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/comms"
)

// question is a request on its way to its answer.
type question struct {
	command comms.Command
	matches func(comms.Event) bool
	once    bool // what it asks for may be done once: it does not soon go again over a link that may still answer
	at      *link
	sent    time.Time // over that link, last
	waiter  *waiter   // at that link; nil before, and once that one has answered
	lost    bool      // it was sent, and whether it was done is not known
	why     error     // it was refused for now, last; nil: it was not
}

// put asks over l, unless it is to be answered there already. The loop's.
func (q *question) put(l *link) {
	underWay, now := q.waiter != nil && q.waiter.unsent == nil, time.Now()
	if underWay && q.at == l {
		since := q.sent
		if q.once {
			since = since.Add(answerIn)
		}
		if l.overdue(since, now) {
			// The first answer is ours, to whichever; the other one is nobody's.
			q.sent, q.lost = now, true
			l.ask(&waiter{matches: q.matches, answer: make(chan comms.Event, 1), unsent: q.command})
		}
		return
	}
	q.lost = q.lost || underWay
	q.at, q.sent, q.waiter = l, now, &waiter{matches: q.matches, answer: make(chan comms.Event, 1), unsent: q.command}
	l.ask(q.waiter)
}

// askRouter sends a request to the router and returns its answer, through
// reconnections, until ctx ends.
func (s *Session) askRouter(ctx context.Context, command comms.Command, matches func(comms.Event) bool) (comms.Event, error) {
	q := &question{command: command, matches: matches}
	e, err := s.ask(ctx, q, func() *link { return s.router })
	if err != nil && err == ctx.Err() {
		err = late(err, q.why)
	}
	return e, err
}

// ask puts a question over the link that pick returns (nil: not yet) and waits.
func (s *Session) ask(ctx context.Context, q *question, pick func() *link) (comms.Event, error) {
	for {
		asked := false
		if err := s.call(ctx, func() {
			if l := pick(); l != nil && !l.closed {
				q.put(l)
				asked = true
			}
		}); err != nil {
			return nil, err
		}
		if asked {
			select {
			case e, ok := <-q.waiter.answer:
				if !ok {
					break
				}
				q.waiter = nil
				refused, is := e.(comms.Error)
				if !is {
					return e, nil
				}
				refusal := &RefusedError{refused.Code, refused.Message}
				if !comms.Retryable(refused.Code) {
					return nil, refusal
				}
				q.why = refusal
				q.lost = q.lost || refused.Code == comms.CodeUnknownFate
			case <-time.After(answerIn):
				s.call(s.ctx, func() { q.at.withdraw(q.waiter) }) //nolint:errcheck // ends with the session
			case <-ctx.Done():
				s.call(s.ctx, func() { q.at.withdraw(q.waiter) }) //nolint:errcheck // ends with the session
				return nil, ctx.Err()
			case <-s.ctx.Done():
				return nil, ErrClosed
			}
		}
		select {
		case <-time.After(2 * minBackoff):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// refuses reports whether e may be the answer of a shard that does not do what it
// was asked about a room, messages aside.
func refuses(e comms.Event, room string) bool {
	switch e := e.(type) {
	case comms.Redirect:
		return e.Room == room && e.ID == ""
	case comms.Error:
		return e.Room == room && e.ID == ""
	}
	return false
}

// askOwner sends a request about a room to its owner, through redirects.
func (s *Session) askOwner(ctx context.Context, name string, q *question) (comms.Event, error) {
	matches, addr := q.matches, ""
	q.matches = func(e comms.Event) bool {
		return refuses(e, name) || matches(e)
	}
	locate := &question{command: comms.Locate{Room: name}, matches: func(e comms.Event) bool {
		switch e := e.(type) {
		case comms.Located:
			return e.Room == name
		case comms.Error:
			return e.Room == name && e.ID == ""
		}
		return false
	}}
	astray := false // the shard of the room knows no better
	for redirects := 0; ; {
		if addr == "" && !astray { // no router may be there for long, and the room be found without one
			s.call(ctx, func() { //nolint:errcheck // asking has the same error
				if r := s.rooms[name]; r != nil && r.state == stateUp {
					addr = r.shard.addr
				}
			})
		}
		if addr == "" {
			limited, cancel := context.WithTimeout(ctx, answerIn)
			e, err := s.ask(limited, locate, func() *link { return s.router })
			cancel()
			astray = false
			if locate.why != nil {
				q.why, locate.why = locate.why, nil
			}
			switch {
			case err != nil && err == ctx.Err():
				return nil, late(err, q.why)
			case errors.Is(err, context.DeadlineExceeded):
				continue
			case err != nil:
				return nil, err
			}
			addr = e.(comms.Located).Addr
		}
		at := addr
		tried := false
		var disagree error
		limited, cancel := context.WithTimeout(ctx, answerIn)
		e, err := s.ask(limited, q, func() *link {
			if disagree = s.trouble[at]; disagree != nil && tried {
				cancel()
				return nil
			}
			tried = true
			return s.shardAt(at)
		})
		cancel()
		var refused *RefusedError
		redirect, moved := e.(comms.Redirect)
		switch {
		case tried && err != nil && disagree != nil:
			return nil, disagree
		case ctx.Err() != nil:
			return nil, fmt.Errorf("ask the owner of #%s: %w", name, late(ctx.Err(), q.why))
		case errors.As(err, &refused), errors.Is(err, ErrClosed):
			return nil, err
		case err == nil && !moved:
			return e, nil
		}
		addr = redirect.Addr
		if redirects++; redirects%(maxRedirect+1) == 0 || addr == "" {
			addr, astray = "", moved
			select {
			case <-time.After(2 * minBackoff):
			case <-ctx.Done():
			}
		}
	}
}

// History asks the owner for one page of records. Events must be read meanwhile, as
// with all calls that wait for an answer.
func (s *Session) History(ctx context.Context, q comms.History) (comms.HistoryPage, error) {
	if err := checked(comms.CheckCommand(q)); err != nil {
		return comms.HistoryPage{}, err
	}
	if err := s.call(ctx, func() { q.Tag = s.ids.Next() }); err != nil {
		return comms.HistoryPage{}, err
	}
	e, err := s.askOwner(ctx, q.Room, &question{command: q, matches: func(e comms.Event) bool {
		page, ok := e.(comms.HistoryPage)
		return ok && page.Tag == q.Tag
	}})
	page, _ := e.(comms.HistoryPage)
	return page, err
}

// Rooms asks a router for one page of the room list. Events must be read meanwhile.
func (s *Session) Rooms(ctx context.Context, q comms.ListRooms) (comms.RoomList, error) {
	if err := checked(comms.CheckCommand(q)); err != nil {
		return comms.RoomList{}, err
	}
	if err := s.call(ctx, func() { q.Tag = s.ids.Next() }); err != nil {
		return comms.RoomList{}, err
	}
	e, err := s.askRouter(ctx, q, func(e comms.Event) bool {
		switch e := e.(type) {
		case comms.RoomList:
			return e.Tag == q.Tag
		case comms.Error:
			return e.Tag == q.Tag
		}
		return false
	})
	list, _ := e.(comms.RoomList)
	return list, err
}

// Create makes a room. Should the answer be lost, with its connection or because
// the log was silent, it is made again; that it exists then is no refusal: it is
// the one that was made first, as far as anybody can tell. Events must be read meanwhile.
func (s *Session) Create(ctx context.Context, name, description string) error {
	if err := checked(comms.CheckRoomName(name), comms.CheckDescription(description)); err != nil {
		return err
	}
	q := &question{once: true, command: comms.CreateRoom{Room: name, Description: description}, matches: func(e comms.Event) bool {
		created, ok := e.(comms.RoomCreated)
		return ok && created.Room == name
	}}
	_, err := s.askOwner(ctx, name, q)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Code == comms.CodeRoomExists && q.lost {
		return nil
	}
	return err
}

// Where asks the owner of a room where it is served, and under which epoch. Events
// must be read meanwhile.
func (s *Session) Where(ctx context.Context, name string) (comms.Located, error) {
	if err := checked(comms.CheckRoomName(name)); err != nil {
		return comms.Located{}, err
	}
	e, err := s.askOwner(ctx, name, &question{command: comms.Locate{Room: name}, matches: func(e comms.Event) bool {
		located, ok := e.(comms.Located)
		return ok && located.Room == name
	}})
	located, _ := e.(comms.Located)
	return located, err
}

// Status asks a router for the state of the cluster. Events must be read meanwhile.
func (s *Session) Status(ctx context.Context) (comms.StatusReport, error) {
	e, err := s.askRouter(ctx, comms.Status{}, func(e comms.Event) bool { _, ok := e.(comms.StatusReport); return ok })
	report, _ := e.(comms.StatusReport)
	return report, err
}
