// Package peer is the member's side of a shard's client port: one standing
// connection per shard, over which a member asks (yield, offer, status, rooms)
// and which, by breaking, tells that the shard is gone. It knows nothing of
// what the answers mean.
//
// Each connection has one goroutine that reads until it breaks; Close ends all
// and waits.
package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"positivity-exchange/comms"
)

// ErrOtherBoot: a shard answered under another boot id than the one meant.
var ErrOtherBoot = errors.New("another boot answers at this address")

var errClosed = errors.New("the pool is closed")

const (
	// callTimeout bounds a Call whose context has no deadline.
	callTimeout = 2 * time.Second
	// hungAfter: a connection over which nothing came for so long, while a
	// question waited, is closed. One that was cut for a while sends again what
	// is under way only after about as long once more; a new one is there at once.
	hungAfter = time.Second
)

// Dial connects to host:port; a refused dial wraps syscall.ECONNREFUSED.
type Dial func(ctx context.Context, addr string) (net.Conn, error)

// Pool keeps one connection per address. Safe for concurrent use.
type Pool struct {
	keys       comms.Keys
	name, boot string
	connect    Dial

	mu     sync.Mutex
	conns  map[string]*Conn
	closed bool
	wg     sync.WaitGroup
}

// NewPool makes a pool for the member name/boot. A nil dial means TCP.
func NewPool(keys comms.Keys, name, boot string, dial Dial) *Pool {
	if dial == nil {
		dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	return &Pool{keys: keys, name: name, boot: boot, connect: dial, conns: map[string]*Conn{}}
}

// Conn is one standing connection, shared by all who ask for its address.
type Conn struct {
	conn *comms.Conn
	boot string
	done chan struct{}

	mu      sync.Mutex
	waiting []waiter // the oldest first
	heard   time.Time
	watch   func(comms.RoomReport)
}

// waiter is a request without its answer; answers of one kind come in order.
type waiter struct {
	matches func(comms.Event) bool
	answer  chan comms.Event // nil: nobody waits any more
	asked   time.Time
}

// Done is closed when the connection broke.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close gives this reference up; the pool keeps the connection for others.
func (c *Conn) Close() error { return nil }

// Link opens (or shares) the connection to addr and checks that boot answers
// ("" means any). A refused dial wraps syscall.ECONNREFUSED.
func (p *Pool) Link(ctx context.Context, addr, boot string) (*Conn, error) {
	p.mu.Lock()
	c := p.conns[addr]
	p.mu.Unlock()
	if c == nil {
		var err error
		if c, err = p.dial(ctx, addr); err != nil {
			return nil, err
		}
	}
	if boot != "" && c.boot != boot {
		return nil, fmt.Errorf("%s: %w: %s, not %s", addr, ErrOtherBoot, c.boot, boot)
	}
	return c, nil
}

func (p *Pool) dial(ctx context.Context, addr string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nc, err := p.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // ends the reads below
	conn := comms.NewClientConn(nc)
	ticket, _ := p.keys.Issue(comms.AsMember, p.name, time.Now())
	err = conn.WriteCommand(comms.Hello{Version: comms.Version, User: p.name, Ticket: ticket, As: comms.AsMember, Name: p.name, Boot: p.boot})
	var e comms.Event
	if err == nil {
		e, err = conn.ReadEvent()
	}
	if !stop() && err == nil {
		err = ctx.Err() // the reads of all who share it would end too, now or soon
	}
	welcome, ok := e.(comms.Welcome)
	if err == nil && !ok {
		if refusal, is := e.(comms.Error); is {
			err = &refusal
		} else {
			err = fmt.Errorf("%s answered %T to hello", addr, e)
		}
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close() //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("member connection to %s: %w", addr, err)
	}
	c := &Conn{conn: conn, boot: welcome.Boot, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if have := p.conns[addr]; have != nil || p.closed {
		conn.Close() //nolint:errcheck // not needed after all
		if p.closed {
			return nil, errClosed
		}
		return have, nil
	}
	p.conns[addr] = c
	p.wg.Go(func() {
		c.read()
		p.mu.Lock()
		if p.conns[addr] == c {
			delete(p.conns, addr)
		}
		p.mu.Unlock()
		close(c.done)
	})
	return c, nil
}

func (c *Conn) read() {
	defer c.conn.Close() //nolint:errcheck // it broke
	for {
		e, err := c.conn.ReadEvent()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.heard = time.Now()
		c.mu.Unlock()
		switch e := e.(type) {
		case comms.PingEvent:
			if c.conn.WriteCommand(comms.Pong(e)) != nil {
				return
			}
			continue
		case comms.RoomReport:
			c.mu.Lock()
			watch := c.watch
			c.mu.Unlock()
			if watch != nil {
				watch(e)
			}
			continue
		}
		c.mu.Lock()
		for i, w := range c.waiting {
			if w.matches(e) {
				c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
				if w.answer != nil {
					w.answer <- e
				}
				break
			}
		}
		c.mu.Unlock()
	}
}

// Call asks over the connection to addr and returns the answer; a comms.Error
// answer becomes a *comms.Error error.
func (p *Pool) Call(ctx context.Context, addr string, cmd comms.Command) (comms.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := p.Link(ctx, addr, "")
	if err != nil {
		return nil, err
	}
	w := waiter{matches: answers(cmd), answer: make(chan comms.Event, 1), asked: time.Now()}
	c.mu.Lock()
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	if err := c.conn.WriteCommand(cmd); err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	select {
	case e := <-w.answer:
		if refusal, ok := e.(comms.Error); ok {
			return nil, &refusal
		}
		return e, nil
	case <-c.done:
		return nil, fmt.Errorf("ask %s: the connection broke", addr)
	case <-ctx.Done():
		c.forget(w)
		return nil, fmt.Errorf("ask %s: %w", addr, ctx.Err())
	}
}

// forget leaves a question behind that takes its late answer and drops it: the
// next question of the kind must not. A connection that hangs is closed.
func (c *Conn) forget(w waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) > 0 && time.Since(c.waiting[0].asked) > hungAfter && time.Since(c.heard) > hungAfter {
		c.conn.Close() //nolint:errcheck // its reader tells
	}
	for i := range c.waiting {
		if c.waiting[i].answer == w.answer {
			c.waiting[i].answer = nil
			return
		}
	}
}

// answers tells which event answers cmd.
func answers(cmd comms.Command) func(comms.Event) bool {
	return func(e comms.Event) bool {
		if _, refused := e.(comms.Error); refused {
			return true
		}
		switch cmd := cmd.(type) {
		case comms.Yield:
			a, ok := e.(comms.Yielded)
			return ok && a.Partition == cmd.Partition
		case comms.Offer:
			a, ok := e.(comms.Offered)
			return ok && a.Partition == cmd.Partition
		case comms.Status:
			_, ok := e.(comms.StatusReport)
			return ok
		}
		return false
	}
}

// Watch sends WatchRooms on the connection to addr and calls report for every
// RoomReport until ctx ends or the connection breaks; it returns then. report
// must not block.
func (p *Pool) Watch(ctx context.Context, addr string, report func(comms.RoomReport)) error {
	c, err := p.Link(ctx, addr, "")
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.watch = report
	c.mu.Unlock()
	if err := c.conn.WriteCommand(comms.WatchRooms{}); err != nil {
		return fmt.Errorf("watch rooms of %s: %w", addr, err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return fmt.Errorf("watch rooms of %s: the connection broke", addr)
	}
}

// Close closes all connections and waits for what the pool started.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.conns {
		c.conn.Close() //nolint:errcheck // it is over either way
	}
	p.mu.Unlock()
	p.wg.Wait()
	return nil
}
