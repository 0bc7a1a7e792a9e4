package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"positivity-exchange/comms"
)

// User is the name the router gave.
func (s *Session) User() (user string) {
	s.look(func() { user = s.user })
	return user
}

// Cluster is what the routers call themselves together (comms.Keys.Cluster), ""
// if they are of a version that does not say. A session has one for all its life.
func (s *Session) Cluster() (cluster string) {
	s.look(func() { cluster = s.cluster })
	return cluster
}

// look runs f, which changes nothing, in the loop; or when all has ended, and
// nobody changes anything any more.
func (s *Session) look(f func()) {
	if s.call(context.Background(), f) != nil {
		s.wg.Wait()
		f()
	}
}

// Join joins a room, and returns once its owner has answered. The details come as a
// Joined event; later re-joins happen by themselves. If ctx ends before, the room is
// left, and what was posted in it fails. Right after Leave, Join waits until the room
// is left. Events must be read meanwhile, as of Send.
//
// With after, what was said behind that position follows as Message events;
// &comms.Position{} means the beginning. If the store has lost it, a Cut event tells,
// unless after has no epoch to recognise that by.
func (s *Session) Join(ctx context.Context, name string, after *comms.Position) error {
	if err := checked(comms.CheckRoomName(name)); err != nil {
		return err
	}
	answer := make(chan error, 1)
	var err error
	if callErr := s.call(ctx, func() {
		r := &room{session: s, name: name, after: after, waiter: answer}
		switch {
		case s.room(name) != nil:
			err = &RefusedError{comms.CodeJoined, "you are in #" + name + " already"}
		case s.rooms[name] != nil:
			s.rooms[name].next = r
		default:
			s.rooms[name] = r
		}
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
			if r := s.room(name); r != nil && r.waiter == answer {
				s.giveUp(r, late(ctx.Err(), r.why))
			}
		}); err != nil {
			return errors.Join(ctx.Err(), err)
		}
		return <-answer // which may have come first: then it is joined
	}
}

// late is the error of a call whose context ended; why is what kept it until then,
// if anything is known of it.
func late(err, why error) error {
	if why == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, why)
}

// room is the one that a call means: not one that is being left.
func (s *Session) room(name string) *room {
	r := s.rooms[name]
	if r != nil && r.leaving {
		return r.next
	}
	return r
}

// Leave leaves a room, and does not wait until its shard agrees: Left follows
// then, or when the connection breaks. Messages not acknowledged by then fail,
// those that were sent with comms.CodeUnknownFate. At once, nothing more is
// posted in the room, and it may be joined again. The context may have ended.
func (s *Session) Leave(_ context.Context, name string) error {
	err := ErrNotJoined
	if callErr := s.call(context.Background(), func() {
		r := s.room(name)
		if r == nil {
			return
		}
		err = nil
		if r.state != stateUp {
			s.giveUp(r, nil)
			return
		}
		r.leave()
	}); callErr != nil {
		return callErr
	}
	return err
}

// Post queues a message in a joined room and returns its client id at once. It
// is sent, and sent again through moves and crashes, until Message{Mine} or
// SendFailed with that id arrives. Close ends that too: what is not acknowledged
// by then may be stored or not, and Unacknowledged lists it. Nothing bounds what is
// queued: who reads a file waits for acknowledgements now and then.
func (s *Session) Post(name, content string) (id string, err error) {
	if err := checked(comms.CheckContent(content)); err != nil {
		return "", err
	}
	return s.enqueue(&outgoing{Pending: Pending{Room: name, Content: content}})
}

// PostTopic is Post for a new description.
func (s *Session) PostTopic(name, topic string) (id string, err error) {
	if err := checked(comms.CheckDescription(topic)); err != nil {
		return "", err
	}
	return s.enqueue(&outgoing{Pending: Pending{Room: name, Content: topic, Topic: true}})
}

// Repost queues a message again under the id it had in an earlier session of
// the same user; seen is the head its sender knew when it first posted. What
// is under way in this session already is refused with comms.CodePending.
func (s *Session) Repost(name, content, id string, seen uint64) error {
	if err := checked(comms.CheckContent(content), comms.CheckID(id)); err != nil {
		return err
	}
	_, err := s.enqueue(&outgoing{Pending: Pending{Room: name, Content: content, ID: id, Seen: seen}, tried: true})
	return err
}

// RepostTopic is Repost for a description that PostTopic was to set.
func (s *Session) RepostTopic(name, topic, id string, seen uint64) error {
	if err := checked(comms.CheckDescription(topic), comms.CheckID(id)); err != nil {
		return err
	}
	_, err := s.enqueue(&outgoing{Pending: Pending{Room: name, Content: topic, ID: id, Seen: seen, Topic: true}, tried: true})
	return err
}

func (s *Session) enqueue(o *outgoing) (id string, err error) {
	callErr := s.call(context.Background(), func() {
		r := s.room(o.Room)
		switch {
		case r == nil:
			err = ErrNotJoined
			return
		case o.ID == "":
			o.ID = s.ids.Next()
		case slices.ContainsFunc(r.outbox, func(under *outgoing) bool { return under.ID == o.ID }):
			err = &RefusedError{comms.CodePending, "the message is under way already; wait for its answer"}
			return
		}
		id = o.ID
		r.outbox = append(r.outbox, o)
	})
	if callErr != nil {
		return "", callErr
	}
	return id, err
}

// Pending is what was posted and whose fate is not known yet.
type Pending struct {
	Room, ID, Content string
	Seen              uint64 // the newest sequence of the room that was known when it was sent first
	Topic             bool   // Content is to be the room's description: RepostTopic, not Repost
}

// Unacknowledged lists what was posted and whose Message or SendFailed is not yet in
// Events, oldest first per room. After Close, that is what Repost and RepostTopic are
// for: some of it may be stored, and is not stored again.
func (s *Session) Unacknowledged() (list []Pending) {
	s.look(func() {
		for _, t := range s.out {
			if t.fate != nil && t.fate.answer == nil {
				list = append(list, t.fate.Pending)
			}
		}
		for _, r := range s.rooms {
			for ; r != nil; r = r.next {
				for _, o := range r.outbox {
					list = append(list, o.Pending)
				}
			}
		}
	})
	return list
}

// Send is Post that waits for the acknowledgement. Events must be read
// meanwhile, by another goroutine or from a buffer large enough.
//
// If ctx ends before, what was not sent yet is not sent any more, and the message
// is empty. Else it has the id: the message may be stored, and is sent again until
// Events has its end, as those of Post; who tries again calls Repost in a later
// session, and not Send. The same goes for ErrClosed.
func (s *Session) Send(ctx context.Context, name, content string) (Message, error) {
	if err := checked(comms.CheckContent(content)); err != nil {
		return Message{}, err
	}
	o := &outgoing{Pending: Pending{Room: name, Content: content}, answer: make(chan sendResult, 1)}
	if _, err := s.enqueue(o); err != nil {
		return Message{}, err
	}
	select {
	case r := <-o.answer:
		return r.message, r.err
	case <-ctx.Done():
		return s.unsent(o, ctx.Err())
	case <-s.ctx.Done():
		return s.unsent(o, ErrClosed)
	}
}

// unsent ends the waiting for a message whose fate is not known.
func (s *Session) unsent(o *outgoing, cause error) (m Message, err error) {
	answer := o.answer
	m, err = Message{Room: o.Room, Record: comms.Record{Kind: comms.KindMessage, ID: o.ID, Content: o.Content}}, cause
	s.call(context.Background(), func() { //nolint:errcheck // then Unacknowledged has it
		o.answer = nil // events tell of it
		r := s.room(o.Room)
		if r == nil {
			return
		}
		err = late(cause, r.why)
		if i := slices.Index(r.outbox, o); i >= 0 && !o.tried {
			r.take(i)
			m = Message{}
		}
	})
	select {
	case r := <-answer: // it came first
		return r.message, r.err
	default:
		return m, err
	}
}
