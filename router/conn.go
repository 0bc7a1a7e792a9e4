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
	"positivity-exchange/membership"
)

const (
	pushQueue  = 256       // events a connection may have unwritten
	askedQueue = 128       // of those, answers and what is relayed: from there on no more of either is taken
	askedBytes = 256 << 10 // and of unwritten bytes
	writeBytes = 64 << 10  // gathered for one write, and up to an event more
	maxLocated = 1000      // rooms a connection is told about
)

// conn is one connection to the router.
type conn struct {
	router *Router
	wire   *comms.Conn
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when the reader has ended: write what is queued, then end
	relay  *relay        // of an ancestor

	out       chan []byte   // events, encoded: a page of rooms keeps nothing else alive
	unwritten atomic.Int64  // bytes of them, and of what is being written
	wrote     chan struct{} // gets one when there are fewer, or when somebody else may look

	mu      sync.Mutex
	user    string
	aware   bool
	located map[string]string // room -> boot of the shard we named
}

// send queues an event; who does not read is let go of.
func (c *conn) send(e comms.Event) {
	line := comms.AppendEvent(nil, e)
	c.unwritten.Add(int64(len(line)))
	select {
	case c.out <- line:
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

// serve greets one connection and answers it until it ends.
func (r *Router) serve(nc net.Conn, mayRelay bool) {
	c := &conn{
		router: r, wire: comms.NewServerConn(nc, comms.LobbyTimeout), ended: make(chan struct{}), out: make(chan []byte, pushQueue), wrote: make(chan struct{}, 1),
		user: guestName(), located: map[string]string{},
	}
	c.ctx, c.cancel = context.WithCancel(r.ctx)
	stop := context.AfterFunc(c.ctx, func() { c.wire.Close() }) //nolint:errcheck // ends reader and writer
	defer stop()
	r.mu.Lock()
	r.conns[c] = struct{}{}
	r.mu.Unlock()
	var writer sync.WaitGroup
	writer.Go(c.write)
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
	writer.Wait()
	c.cancel()
}

func (c *conn) write() {
	for {
		var lines []byte
		select {
		case lines = <-c.out:
		case <-c.ctx.Done():
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
			if e.Code == comms.CodeFrameTooLong || e.Code == comms.CodeFrameTimeout || e.Code == comms.CodeTLS {
				return e.Code
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
			c.mu.Lock()
			if _, known := c.located[command.Room]; known || len(c.located) < maxLocated {
				c.located[command.Room] = boot
			}
			c.mu.Unlock()
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
