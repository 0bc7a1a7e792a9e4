package router

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
)

const (
	pushQueue     = 256       // events a connection may have unwritten
	askedQueue    = 128       // of those, answers and what is relayed: from there on no more of either is taken
	askedBytes    = 256 << 10 // and of unwritten bytes
	writeBytes    = 64 << 10  // gathered for one write, and up to an event more
	goodbyeWithin = time.Second
	maxLocated    = 1000 // rooms a connection is told about, those it asked for last
)

// conn is one connection to the router.
type conn struct {
	router  *Router
	wire    *comms.Conn
	ctx     context.Context
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the reader has ended: write what is queued, then end
	written chan struct{} // closed when the writer has
	relay   *relay        // of an ancestor
	leave   func()        // the lobby, where it waits until it has said who it is

	out       chan []byte   // events that go together, encoded: a page of rooms keeps nothing else alive
	unwritten atomic.Int64  // bytes of them, and of what is being written
	wrote     chan struct{} // gets one when there are fewer, or when somebody else may look

	mu      sync.Mutex
	user    string
	aware   bool
	located map[string]located // by room
	asked   uint64             // questions where a room is
}

// end closes the connection, and with it ends the reader and the writer. Where
// that is since the router ends, the writer has a moment to say so.
func (c *conn) end() {
	wait := time.Duration(0)
	if c.router.ctx.Err() != nil {
		wait = goodbyeWithin
	}
	select {
	case <-c.written:
	case <-time.After(wait):
	}
	c.wire.Close() //nolint:errcheck // it is over either way
}

// send queues what there is to say together; who does not read is let go of.
func (c *conn) send(events ...comms.Event) {
	var lines []byte
	for _, e := range events {
		lines = comms.AppendEvent(lines, e)
	}
	c.unwritten.Add(int64(len(lines)))
	select {
	case c.out <- lines:
	case <-c.ctx.Done():
	default:
		c.router.logger.Debug("a connection does not read", "addr", c.wire.RemoteAddr())
		c.cancel()
	}
}

const nameAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

func guestName() string {
	b := make([]byte, 5)
	rand.Read(b) //nolint:errcheck // never fails
	for i := range b {
		b[i] = nameAlphabet[int(b[i])%len(nameAlphabet)]
	}
	return string(b)
}

// serve greets one connection and answers it until it ends. A relay's own session
// may not relay, and is no stranger. The handshake, if there is one, is here, where
// nobody waits for it.
func (r *Router) serve(nc net.Conn, mayRelay bool) {
	c := &conn{
		router: r, leave: func() {}, ended: make(chan struct{}), written: make(chan struct{}), out: make(chan []byte, pushQueue), wrote: make(chan struct{}, 1),
		user: guestName(), located: map[string]located{},
	}
	c.ctx, c.cancel = context.WithCancel(r.ctx)
	if mayRelay {
		c.leave = r.lobby.Enter(func(code string) {
			r.logger.Debug("a connection is ended that never said hello", "code", code)
			c.cancel()
		}).Leave
		defer c.leave()
		var err error
		if nc, err = tlsconn.Accept(c.ctx, nc, r.opts.TLS, "router"); err != nil {
			r.logger.Debug("a connection was not taken", "err", err)
			c.cancel()
			return
		}
	}
	c.wire = comms.NewServerConn(nc, 0) // the lobby's time is for all that a stranger says together
	stop := context.AfterFunc(c.ctx, c.end)
	defer stop()
	r.mu.Lock()
	r.conns[c] = struct{}{}
	r.mu.Unlock()
	go c.write()
	c.send(comms.LoginSuccessful{Session: comms.NewSessionID(), User: c.user, Rooms: r.greeting()})
	reason := c.read(mayRelay)
	if c.relay != nil {
		c.relay.close()
	}
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
	if c.aware {
		c.send(comms.Goodbye{Reason: reason})
	}
	close(c.ended)
	<-c.written
	c.cancel()
}

func (c *conn) write() {
	defer close(c.written)
	for {
		var lines []byte
		select {
		case lines = <-c.out:
		case <-c.ctx.Done():
			if c.isAware() && c.router.ctx.Err() != nil {
				c.wire.WriteEvent(comms.Goodbye{Reason: comms.CodeShutdown}) //nolint:errcheck // it is over either way
			}
			return
		case <-c.ended:
			select {
			case lines = <-c.out:
			default:
				return
			}
		}
		for len(c.out) > 0 && len(lines) < writeBytes {
			lines = append(lines, <-c.out...)
		}
		if err := c.wire.WriteLines(lines); err != nil {
			c.cancel()
			return
		}
		c.unwritten.Add(-int64(len(lines)))
		c.wake()
	}
}

// awaitWriter blocks, until ctx ends, while much of what was asked for, or relayed, is unwritten:
// a stranger could have the router keep any number of room lists for it, and an
// ancestor is to get all of a burst. The reader and the relay wait here.
func (c *conn) awaitWriter(ctx context.Context) error {
	for c.unwritten.Load() > askedBytes || len(c.out) > askedQueue {
		select {
		case <-c.wrote:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.wake() // the other one may wait for the same write
	return nil
}

func (c *conn) isAware() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aware
}

func (c *conn) wake() {
	select {
	case c.wrote <- struct{}{}:
	default:
	}
}

func (c *conn) read(mayRelay bool) (reason string) {
	silences := 0
	for {
		// A relay's own session is this process's: it reads when it has said all.
		if mayRelay && c.awaitWriter(c.ctx) != nil {
			return comms.CodeQuit
		}
		command, err := c.wire.ReadCommand()
		var e *comms.Error
		switch {
		case errors.As(err, &e):
			c.send(*e)
			switch e.Code {
			case comms.CodeFrameTooLong, comms.CodeFrameTimeout, comms.CodeTLS:
				return e.Code
			case comms.CodeNotJSON, comms.CodeNotUTF8:
				// Of a stranger's the next line may be a command: any web page can
				// have a browser send some, behind a request that is none.
				if !c.aware && c.relay == nil {
					return e.Code
				}
			}
			continue
		case errors.Is(err, os.ErrDeadlineExceeded) && c.aware && silences < 3:
			silences++
			c.send(comms.PingEvent{N: uint64(silences)})
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return comms.CodeIdle
		case err != nil:
			return comms.CodeQuit
		}
		silences = 0
		switch command := command.(type) {
		case comms.Quit:
			return comms.CodeQuit
		case comms.JoinRoom, comms.LeaveRoom, comms.SendMessage:
			switch {
			case c.aware || !mayRelay:
				c.send(comms.Error{Code: comms.CodeNotAllowed, Message: "a router serves no rooms; locate the room and say this to its shard"})
			default:
				if c.relay == nil {
					c.relay = newRelay(c)
				}
				c.relay.do(command)
			}
		default:
			c.handle(command)
		}
	}
}

func (c *conn) handle(command comms.Command) {
	r := c.router
	switch command := command.(type) {
	case comms.Hello:
		if command.Version != comms.Version {
			c.send(comms.Error{Code: comms.CodeVersion, Message: fmt.Sprintf("this router speaks protocol version %d", comms.Version)})
			return
		}
		if c.aware {
			c.send(comms.Error{Code: comms.CodeHelloTwice, Message: "you said hello already"})
			return
		}
		if command.As != "" && command.As != comms.AsClient {
			c.send(comms.Error{Code: comms.CodeNotAllowed, Message: "routers take clients only; members and operators speak to shards"})
			return
		}
		c.mu.Lock()
		if command.User != "" {
			c.user = command.User
		}
		c.aware = true
		c.mu.Unlock()
		c.leave()
		c.wire.SetIdle(comms.PingAfter)
		ticket, expires := r.opts.Keys.Issue(comms.AsClient, c.user, time.Now())
		c.send(comms.Welcome{Version: comms.Version, Session: comms.NewSessionID(), User: c.user, Role: string(membership.RoleRouter), Name: r.opts.Name, Boot: r.opts.Boot, Ticket: ticket, Expires: expires.UnixMilli(), Cluster: r.opts.Keys.Cluster()})
	case comms.Locate:
		m, answer := r.locate(command.Room)
		boot := m.Boot
		for _, m := range r.opts.Gossip.Members() {
			if command.At != "" && m.Client == command.At {
				boot = m.Boot
			}
		}
		if boot != "" {
			c.watch(command.Room, boot, command.At != "")
		}
		c.send(answer)
	case comms.ListRooms:
		c.send(r.list(command))
	case comms.Renew:
		if !c.aware {
			c.send(comms.Error{Code: comms.CodeHelloFirst, Message: "say hello first; a ticket belongs to a user"})
			return
		}
		ticket, expires := r.opts.Keys.Issue(comms.AsClient, c.user, time.Now())
		c.send(comms.Ticket{Ticket: ticket, Expires: expires.UnixMilli()})
	case comms.Status:
		c.send(r.Status(c.ctx))
	case comms.Ping:
		c.send(comms.PongEvent(command))
	case comms.Pong:
	default:
		c.send(comms.Error{Code: comms.CodeNotAllowed, Message: "a router does not answer " + command.CommandType() + "; locate the room and ask its shard"})
	}
}
