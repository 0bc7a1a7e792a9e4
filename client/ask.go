package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/comms"
)

// askRouter sends a request to the router and returns its answer, through
// reconnections, until ctx ends.
func (s *Session) askRouter(ctx context.Context, cmd comms.Command, matches func(comms.Event) bool) (comms.Event, error) {
	return s.ask(ctx, matches, func() *link {
		return s.router
	}, cmd)
}

// ask sends cmd over the link that pick returns (nil: not yet) and waits.
func (s *Session) ask(ctx context.Context, matches func(comms.Event) bool, pick func() *link, cmd comms.Command) (comms.Event, error) {
	for {
		w := &waiter{matches: matches, answer: make(chan comms.Event, 1), unsent: cmd}
		var asked *link
		if err := s.call(ctx, func() {
			if l := pick(); l != nil && !l.closed {
				l.ask(w)
				asked = l
			}
		}); err != nil {
			return nil, err
		}
		if asked != nil {
			select {
			case e, ok := <-w.answer:
				if refused, is := e.(comms.Error); is && ok {
					if !comms.Retryable(refused.Code) {
						return nil, &Refused{refused.Code, refused.Message}
					}
				} else if ok {
					return e, nil
				}
			case <-time.After(answerIn):
				s.call(s.ctx, func() { asked.withdraw(w) }) //nolint:errcheck // ends with the session
			case <-ctx.Done():
				s.call(s.ctx, func() { asked.withdraw(w) }) //nolint:errcheck // ends with the session
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

// askOwner sends a request about a room to its owner, through redirects.
func (s *Session) askOwner(ctx context.Context, name string, cmd comms.Command, matches func(comms.Event) bool) (comms.Event, error) {
	addr := ""
	if err := s.call(ctx, func() {
		if r := s.rooms[name]; r != nil && r.state == stateUp {
			addr = r.shard.addr
		}
	}); err != nil {
		return nil, err
	}
	for redirects := 0; ; {
		if addr == "" {
			e, err := s.askRouter(ctx, comms.Locate{Room: name}, func(e comms.Event) bool {
				switch e := e.(type) {
				case comms.Located:
					return e.Room == name
				case comms.Error:
					return e.Room == name && e.ID == ""
				}
				return false
			})
			if err != nil {
				return nil, err
			}
			addr = e.(comms.Located).Addr
		}
		at := addr
		tried := false
		var disagree error
		limited, cancel := context.WithTimeout(ctx, answerIn)
		e, err := s.ask(limited, func(e comms.Event) bool {
			switch e := e.(type) {
			case comms.Redirect:
				return e.Room == name && e.ID == ""
			case comms.Error:
				return e.Room == name && e.ID == ""
			}
			return matches(e)
		}, func() *link {
			if disagree = s.trouble[at]; disagree != nil && tried {
				cancel()
				return nil
			}
			tried = true
			return s.shardAt(at)
		}, cmd)
		cancel()
		var refused *Refused
		redirect, moved := e.(comms.Redirect)
		switch {
		case tried && err != nil && disagree != nil:
			return nil, disagree
		case ctx.Err() != nil:
			return nil, fmt.Errorf("ask the owner of #%s: %w", name, ctx.Err())
		case errors.As(err, &refused), errors.Is(err, ErrClosed):
			return nil, err
		case err == nil && !moved:
			return e, nil
		}
		addr = redirect.Addr
		if redirects++; redirects%(maxRedirect+1) == 0 || addr == "" {
			addr = ""
			select {
			case <-time.After(2 * minBackoff):
			case <-ctx.Done():
			}
		}
	}
}

// History asks the owner for one page of records.
func (s *Session) History(ctx context.Context, q comms.History) (comms.HistoryPage, error) {
	if err := checked(comms.CheckRoomName(q.Room)); err != nil {
		return comms.HistoryPage{}, err
	}
	if err := s.call(ctx, func() { q.Tag = s.ids.Next() }); err != nil {
		return comms.HistoryPage{}, err
	}
	e, err := s.askOwner(ctx, q.Room, q, func(e comms.Event) bool {
		page, ok := e.(comms.HistoryPage)
		return ok && page.Tag == q.Tag
	})
	page, _ := e.(comms.HistoryPage)
	return page, err
}

// Rooms asks a router for one page of the room list.
func (s *Session) Rooms(ctx context.Context, q comms.ListRooms) (comms.RoomList, error) {
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

// Create makes a room.
func (s *Session) Create(ctx context.Context, name, description string) error {
	if err := checked(comms.CheckRoomName(name), comms.CheckDescription(description)); err != nil {
		return err
	}
	_, err := s.askOwner(ctx, name, comms.CreateRoom{Room: name, Description: description}, func(e comms.Event) bool {
		created, ok := e.(comms.RoomCreated)
		return ok && created.Room == name
	})
	return err
}

// Where asks the owner of a room where it is served, and under which epoch.
func (s *Session) Where(ctx context.Context, name string) (comms.Located, error) {
	if err := checked(comms.CheckRoomName(name)); err != nil {
		return comms.Located{}, err
	}
	e, err := s.askOwner(ctx, name, comms.Locate{Room: name}, func(e comms.Event) bool {
		located, ok := e.(comms.Located)
		return ok && located.Room == name
	})
	located, _ := e.(comms.Located)
	return located, err
}

// Status asks a router for the state of the cluster.
func (s *Session) Status(ctx context.Context) (comms.StatusReport, error) {
	e, err := s.askRouter(ctx, comms.Status{}, func(e comms.Event) bool { _, ok := e.(comms.StatusReport); return ok })
	report, _ := e.(comms.StatusReport)
	return report, err
}
