package router

import (
	"context"
	"errors"
	"net"
	"sync"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// relay speaks for an ancestor: it turns its commands into calls of an SDK
// session and that session's events into the ancestor's.
type relay struct {
	conn    *conn
	user    string          // who the ancestor is
	session *client.Session // nil if the login failed
	ctx     context.Context // ends when nothing waits for the ancestor to read any more
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	present map[string]map[string]bool // of each room: who was shown as joined; the events goroutine's
}

// self is the address by which a relay's session dials the router it lives in.
const self = "self"

func newRelay(c *conn) *relay {
	r := c.router
	session, err := client.Connect(c.ctx, client.Options{
		Routers: []string{self}, User: c.user, Logger: r.logger,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			if addr != self {
				return r.opts.Dial(ctx, addr)
			}
			ours, theirs := net.Pipe()
			r.wg.Go(func() { r.serve(theirs, false) })
			return ours, nil
		},
	})
	relay := &relay{conn: c, user: c.user, session: session, present: map[string]map[string]bool{}}
	relay.ctx, relay.cancel = context.WithCancel(c.ctx)
	if err != nil {
		r.logger.Debug("relay", "err", err)
		c.cancel()
		return relay
	}
	relay.wg.Go(relay.events)
	return relay
}

// close leaves all rooms. An ancestor that has said quit may not read any more:
// it gets what there is room for.
func (r *relay) close() {
	r.cancel()
	if r.session != nil {
		r.session.Close() //nolint:errcheck // never fails
	}
	r.wg.Wait()
}

// do carries out one command; the order of a sender's commands is kept.
func (r *relay) do(command comms.Command) {
	if r.session == nil {
		return
	}
	var err error
	var room string
	switch command := command.(type) {
	case comms.JoinRoom:
		room, err = command.Room, r.session.Join(r.conn.ctx, command.Room, nil)
		if err == nil {
			// Whoever only listens says nothing ever after, and knows no ping:
			// TCP's keep-alive, which accepted connections have, finds the dead.
			r.conn.wire.SetIdle(0)
		}
	case comms.LeaveRoom:
		room, err = command.Room, r.session.Leave(r.conn.ctx, command.Room)
	case comms.SendMessage:
		room = command.Room
		_, err = r.session.Post(command.Room, command.Content)
	}
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused):
		r.conn.send(comms.Error{Code: refused.Code, Message: refused.Message, Room: room})
	case errors.Is(err, client.ErrNotJoined):
		r.conn.send(comms.Error{Code: comms.CodeNotJoined, Message: "join the room first", Room: room})
	}
}

// events translates. An ancestor sees who joined before what they say.
func (r *relay) events() {
	for e := range r.session.Events() {
		switch e := e.(type) {
		case client.Joined:
			present := map[string]bool{r.user: true}
			for _, u := range e.Users {
				present[u] = true
			}
			r.present[e.Room] = present
			// The ancestor's server broadcast the notice first, the joiner included.
			r.tell(comms.RoomParticipation{Room: e.Room, User: r.user, Status: "joined"})
			r.tell(comms.UserJoinedRoom{Room: e.Room, Users: e.Users})
		case client.Left:
			delete(r.present, e.Room)
		case client.Presence:
			for _, u := range e.Joined {
				r.show(e.Room, u, true)
			}
			for _, u := range e.Left {
				r.show(e.Room, u, false)
			}
		case client.People:
			now := map[string]bool{}
			for _, u := range e.Users {
				now[u] = true
				r.show(e.Room, u, true)
			}
			for u := range r.present[e.Room] {
				if !now[u] {
					r.show(e.Room, u, false)
				}
			}
		case client.Message:
			if e.Kind != comms.KindMessage {
				continue
			}
			r.show(e.Room, e.User, true)
			r.tell(comms.UserMessage{Room: e.Room, User: e.User, Content: e.Content})
		case client.SendFailed:
			var refused *client.RefusedError
			if errors.As(e.Err, &refused) {
				r.tell(comms.Error{Code: refused.Code, Message: refused.Message, Room: e.Room})
			}
		}
	}
}

// show tells of a change in who is present, once.
func (r *relay) show(room, user string, joined bool) {
	present := r.present[room]
	if present == nil || present[user] == joined || user == r.user && !joined {
		return
	}
	status := "left"
	if joined {
		present[user], status = true, "joined"
	} else {
		delete(present, user)
	}
	r.tell(comms.RoomParticipation{Room: room, User: user, Status: status})
}

// tell queues an event once most of the earlier ones are written: an ancestor
// that reads loses nothing, however much comes at once, until it quits. One that
// does not read ends with the write that it holds up.
func (r *relay) tell(e comms.Event) {
	if r.conn.awaitWriter(r.ctx) == nil {
		r.conn.send(e)
	}
}
