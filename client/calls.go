package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/comms"
)

// User is the name the router gave.
func (s *Session) User() string {
	var user string
	if s.call(context.Background(), func() { user = s.user }) != nil {
		return s.opts.User
	}
	return user
}

// Cluster is what the routers call themselves together (comms.Keys.Cluster), ""
// if they are of a version that does not say.
func (s *Session) Cluster() string {
	var cluster string
	s.call(context.Background(), func() { cluster = s.cluster }) //nolint:errcheck // then it is not known
	return cluster
}

// Join joins a room; with after, what was missed since follows as Message
// events. It returns once the first owner answered; later re-joins happen by
// themselves. The details come as a Joined event. If ctx ends before, the room is
// left, and what was posted in it fails.
func (s *Session) Join(ctx context.Context, name string, after *comms.Position) error {
	if err := comms.CheckRoomName(name); err != nil {
		return &Refused{comms.CodeBadRoom, err.Error()}
	}
	answer := make(chan error, 1)
	var err error
	if callErr := s.call(ctx, func() {
		if s.rooms[name] != nil {
			err = &Refused{comms.CodeJoined, "you are in #" + name + " already"}
			return
		}
		s.rooms[name] = &room{session: s, name: name, after: after, waiter: answer}
	}); callErr != nil || err != nil {
		return errors.Join(callErr, err)
	}
	select {
	case err := <-answer:
		return err
	case <-s.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		if err := s.call(context.Background(), func() {
			if r := s.rooms[name]; r != nil && r.waiter == answer {
				s.giveUp(r, ctx.Err())
			}
		}); err != nil {
			return errors.Join(ctx.Err(), err)
		}
		return <-answer // which may have come first: then it is joined
	}
}

// Leave leaves a room. Messages not yet acknowledged in it fail. Left follows.
func (s *Session) Leave(ctx context.Context, name string) error {
	err := ErrNotJoined
	if callErr := s.call(ctx, func() {
		r := s.rooms[name]
		if r == nil {
			return
		}
		err = nil
		if r.state != stateUp {
			s.giveUp(r, nil)
			return
		}
		r.leaving = true
		r.shard.send(comms.LeaveRoom{Room: name})
	}); callErr != nil {
		return callErr
	}
	return err
}

// Post queues a message in a joined room and returns its client id at once. It
// is sent, and sent again through moves and crashes, until Message{Mine} or
// SendFailed with that id arrives.
func (s *Session) Post(name, content string) (id string, err error) {
	if err := comms.CheckContent(content); err != nil {
		return "", &Refused{comms.AsError(err).Code, err.Error()}
	}
	return s.enqueue(outgoing{Pending: Pending{Room: name, Content: content}})
}

// PostTopic is Post for a new description.
func (s *Session) PostTopic(name, topic string) (id string, err error) {
	if err := comms.CheckDescription(topic); err != nil {
		return "", &Refused{comms.AsError(err).Code, err.Error()}
	}
	return s.enqueue(outgoing{Pending: Pending{Room: name, Content: topic}, topic: true})
}

// Repost queues a message again under the id it had in an earlier session of
// the same user; seen is the head its sender knew when it first posted.
func (s *Session) Repost(name, content, id string, seen uint64) error {
	_, err := s.enqueue(outgoing{Pending: Pending{Room: name, Content: content, ID: id, Seen: seen}, tried: true})
	return err
}

// RepostTopic is Repost for a description that PostTopic was to set.
func (s *Session) RepostTopic(name, topic, id string, seen uint64) error {
	_, err := s.enqueue(outgoing{Pending: Pending{Room: name, Content: topic, ID: id, Seen: seen}, tried: true, topic: true})
	return err
}

func (s *Session) enqueue(o outgoing) (id string, err error) {
	err = ErrNotJoined
	callErr := s.call(context.Background(), func() {
		if r := s.rooms[o.Room]; r != nil {
			if o.ID == "" {
				o.ID = s.ids.Next()
			}
			id, err = o.ID, nil
			r.outbox = append(r.outbox, &o)
		}
	})
	if callErr != nil {
		return "", callErr
	}
	return id, err
}

// Unacknowledged lists what was posted and not yet acknowledged, oldest first per room.
func (s *Session) Unacknowledged() []Pending {
	var list []Pending
	s.call(context.Background(), func() { //nolint:errcheck // closed: nothing is pending
		for _, r := range s.rooms {
			for _, o := range r.outbox {
				list = append(list, o.Pending)
			}
		}
	})
	return list
}

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
	if err := errors.Join(comms.CheckRoomName(name), comms.CheckDescription(description)); err != nil {
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
	if err := comms.CheckRoomName(name); err != nil {
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

// Send is Post that waits for the acknowledgement. Events must be read
// meanwhile, by another goroutine or from a buffer large enough.
func (s *Session) Send(ctx context.Context, name, content string) (Message, error) {
	if err := comms.CheckContent(content); err != nil {
		return Message{}, &Refused{comms.AsError(err).Code, err.Error()}
	}
	o := outgoing{Pending: Pending{Room: name, Content: content}, answer: make(chan sendResult, 1)}
	if _, err := s.enqueue(o); err != nil {
		return Message{}, err
	}
	select {
	case r := <-o.answer:
		return r.message, r.err
	case <-ctx.Done():
		return Message{}, ctx.Err()
	case <-s.ctx.Done():
		return Message{}, ErrClosed
	}
}
