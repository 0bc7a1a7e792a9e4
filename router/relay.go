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
// session and that session's events into the ancestor's. A goroutine of its own
// carries the commands out, so that the connection's reader sees the ancestor go
// while no shard answers.
type relay struct {
	conn      *conn
	user      string             // who the ancestor is
	commands  chan comms.Command // to carry out
	unsettled unsettled
	session   *client.Session // run's, and of what it starts
	ctx       context.Context // ends when nothing is done for the ancestor any more
	cancel    context.CancelFunc
	reads     context.Context // ends when nothing waits for the ancestor to read any more
	deafen    context.CancelFunc
	wg        sync.WaitGroup
	present   map[string]map[string]bool // of each room: who was shown as joined; the events goroutine's
}

// self is the address by which a relay's session dials the router it lives in.
const self = "self"

func newRelay(c *conn) *relay {
	relay := &relay{conn: c, user: c.user, commands: make(chan comms.Command, maxUnsettled/commandSize+1), present: map[string]map[string]bool{}}
	// Not the connection's context: what was said before it broke is carried out.
	relay.ctx, relay.cancel = context.WithCancel(c.router.ctx)
	relay.reads, relay.deafen = context.WithCancel(c.ctx)
	relay.wg.Go(relay.run)
	return relay
}

// run carries commands out in their order, until ctx ends.
func (r *relay) run() {
	router := r.conn.router
	session, err := client.Connect(r.ctx, client.Options{
		Routers: []string{self}, User: r.user, Logger: router.logger,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			if addr != self {
				return router.opts.Dial(ctx, addr)
			}
			ours, theirs := net.Pipe()
			router.wg.Go(func() { router.serve(theirs, false) })
			return ours, nil
		},
	})
	if err != nil {
		router.logger.Debug("relay", "err", err)
		r.cancel()
		r.conn.cancel()
		return
	}
	defer session.Close() //nolint:errcheck // never fails
	r.session = session
	r.wg.Go(r.events)
	for {
		select {
		case command := <-r.commands:
			r.carryOut(command)
		case <-r.ctx.Done():
			return
		}
	}
}

// do queues a command, once few of those before it are unsettled: what shards do
// not take yet stays in the network. Only the connection's reader waits here.
func (r *relay) do(command comms.Command) {
	few := func() bool { return r.unsettled.bytes <= maxUnsettled }
	if !r.unsettled.wait(r.conn.ctx, comms.LobbyTimeout, few) {
		// It may be gone: behind so much that is not read its end is not seen.
		r.conn.cancel()
		return
	}
	r.unsettled.add(size(command))
	r.commands <- command // there is room: each counts for commandSize at least
}

// close has what the ancestor said carried out as long as that gets anywhere, and
// leaves all rooms. An ancestor that has said quit may not read any more, and is
// not waited for if that is what holds things up.
func (r *relay) close() {
	all := func() bool { return r.unsettled.bytes == 0 }
	if !r.unsettled.wait(r.ctx, lastWordsWithin, all) {
		r.deafen()
		r.unsettled.wait(r.ctx, lastWordsWithin, all)
	}
	r.deafen()
	r.cancel()
	r.wg.Wait()
}

// carryOut does one command.
func (r *relay) carryOut(command comms.Command) {
	var err error
	var room string
	settled := size(command)
	switch command := command.(type) {
	case comms.JoinRoom:
		room, err = command.Room, r.session.Join(r.ctx, command.Room, nil)
	case comms.LeaveRoom:
		// A room that is left forgets what was not stored by then.
		r.unsettled.wait(r.ctx, lastWordsWithin, func() bool { return !r.unsettled.posted(command.Room) })
		room, err = command.Room, r.session.Leave(r.ctx, command.Room)
	case comms.SendMessage:
		room, settled = command.Room, 0 // later, but for an error
		if err = r.unsettled.post(r.session, command); err != nil {
			settled = size(command)
		}
	}
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused):
		r.tell(comms.Error{Code: refused.Code, Message: refused.Message, Room: room})
	case errors.Is(err, client.ErrNotJoined):
		r.tell(comms.Error{Code: comms.CodeNotJoined, Message: "join the room first", Room: room})
	}
	r.unsettled.add(-settled)
}

// events translates. An ancestor sees who joined before what they say.
func (r *relay) events() {
	for e := range r.session.Events() {
		switch e := e.(type) {
		case client.Joined:
			// Whoever only listens says nothing ever after, and knows no ping:
			// TCP's keep-alive, which accepted connections have, finds the dead.
			r.conn.leave()
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
			if e.Mine {
				r.unsettled.settle(e.ID)
			}
		case client.SendFailed:
			var refused *client.RefusedError
			if errors.As(e.Err, &refused) {
				r.tell(comms.Error{Code: refused.Code, Message: refused.Message, Room: e.Room})
			}
			r.unsettled.settle(e.ID)
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
// that reads loses nothing, however much comes at once. One that does not read
// ends with the write that it holds up, or soon after its quit.
func (r *relay) tell(e comms.Event) {
	if r.conn.awaitWriter(r.reads) == nil {
		r.conn.send(e)
	}
}
