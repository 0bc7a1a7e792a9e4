package stress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
)

// Timeouts of the parts of a run that wait for one answer.
const (
	connectTimeout = 20 * time.Second
	joinTimeout    = 2 * time.Minute
)

// Px speaks our protocol: a router names the shards, everything else goes on
// there.
type Px struct {
	routers []string
	tls     *tls.Config // of all connections; nil: plain

	mu    sync.Mutex
	turn  int
	place map[string]string
}

// NewPx speaks to the cluster that any of routers belongs to. Connections use
// TLS where config is given.
func NewPx(routers []string, config *tls.Config) *Px {
	return &Px{routers: routers, tls: config, place: map[string]string{}}
}

// Numbered implements Dialect.
func (p *Px) Numbered() bool { return true }

// Place implements Dialect.
func (p *Px) Place(room string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.place[room]
}

// Addrs are the shards that serve the rooms of Prepare.
func (p *Px) Addrs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var addrs []string
	for _, addr := range p.place {
		addrs = append(addrs, addr)
	}
	return addrs
}

func (p *Px) dial(ctx context.Context, addr string) (net.Conn, error) {
	return tlsconn.Dial(ctx, addr, p.tls)
}

// expect reads events until one of type E comes.
func expect[E comms.Event](conn *comms.Conn) (e E, err error) {
	for {
		event, err := conn.ReadEvent()
		if err != nil {
			return e, err
		}
		switch event := event.(type) {
		case E:
			return event, nil
		case comms.Error:
			return e, &event
		case comms.Goodbye:
			return e, fmt.Errorf("goodbye: %s", event.Reason)
		}
	}
}

// hello opens a connection and logs in on it.
func (p *Px) hello(ctx context.Context, addr, user, ticket string) (net.Conn, *comms.Conn, comms.Welcome, error) {
	nc, err := p.dial(ctx, addr)
	if err != nil {
		return nil, nil, comms.Welcome{}, err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // ends the reads below
	conn := comms.NewClientConn(nc)
	err = conn.WriteCommand(comms.Hello{Version: comms.Version, User: user, Ticket: ticket})
	var w comms.Welcome
	if err == nil {
		w, err = expect[comms.Welcome](conn)
	}
	if !stop() && err == nil {
		err = ctx.Err() // what is read later would end, too
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close() //nolint:errcheck // the first error counts
		return nil, nil, w, err
	}
	return nc, conn, w, nil
}

// router asks a router, each in its turn.
func (p *Px) router(ctx context.Context, user string) (*comms.Conn, comms.Welcome, error) {
	p.mu.Lock()
	addr := p.routers[p.turn%len(p.routers)]
	p.turn++
	p.mu.Unlock()
	_, conn, w, err := p.hello(ctx, addr, user, "")
	if err != nil {
		return nil, w, fmt.Errorf("router %s: %w", addr, err)
	}
	return conn, w, nil
}

// Login implements Dialect.
func (p *Px) Login(ctx context.Context, user string) (string, error) {
	conn, w, err := p.router(ctx, user)
	if err != nil {
		return "", err
	}
	return w.Ticket, conn.Close()
}

// Connect implements Dialect.
func (p *Px) Connect(ctx context.Context, addr, user, ticket string) (net.Conn, error) {
	nc, _, _, err := p.hello(ctx, addr, user, ticket)
	return nc, err
}

// Prepare implements Dialect: rooms that are not there yet are created.
func (p *Px) Prepare(ctx context.Context, rooms []string) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	router, w, err := p.router(ctx, "")
	if err != nil {
		return err
	}
	defer router.Close()                                      //nolint:errcheck // nothing is owed to it
	defer context.AfterFunc(ctx, func() { router.Close() })() //nolint:errcheck // ends the reads below
	shards := map[string]*comms.Conn{}
	defer func() {
		for _, conn := range shards {
			conn.Close() //nolint:errcheck // nothing is owed to it
		}
	}()
	for _, room := range rooms {
		addr := ""
		for tries := 0; ; tries++ {
			if addr == "" {
				if err := router.WriteCommand(comms.Locate{Room: room}); err != nil {
					return err
				}
				at, err := expect[comms.Located](router)
				if wait := retryAfter(err); wait > 0 && tries < maxTries {
					if err := pause(ctx, wait); err != nil {
						return err
					}
					continue
				}
				if err != nil {
					return fmt.Errorf("locate #%s: %w", room, err)
				}
				addr = at.Addr
			}
			if shards[addr] == nil {
				_, conn, _, err := p.hello(ctx, addr, w.User, w.Ticket)
				if err != nil {
					return fmt.Errorf("shard %s: %w", addr, err)
				}
				shards[addr] = conn
			}
			next, wait, err := create(shards[addr], room)
			if err != nil && wait == 0 || tries == maxTries {
				return fmt.Errorf("create #%s at %s: %w", room, addr, err)
			}
			if next == addr && err == nil {
				break
			}
			if err := pause(ctx, wait); err != nil {
				return err
			}
			addr = next
		}
		p.mu.Lock()
		p.place[room] = addr
		p.mu.Unlock()
	}
	return nil
}

// create makes a room exist on a shard, or tells where to ask next (empty: a
// router) and how long to wait first.
func create(conn *comms.Conn, room string) (next string, wait time.Duration, err error) {
	if err := conn.WriteCommand(comms.CreateRoom{Room: room, Description: "made by px stress"}); err != nil {
		return "", 0, err
	}
	for {
		event, err := conn.ReadEvent()
		if err != nil {
			return "", 0, err
		}
		switch event := event.(type) {
		case comms.RoomCreated:
			return conn.RemoteAddr().String(), 0, nil
		case comms.Redirect:
			return event.Addr, max(time.Duration(event.Retry)*time.Millisecond, time.Millisecond), nil
		case comms.Error:
			if event.Code == comms.CodeRoomExists {
				return conn.RemoteAddr().String(), 0, nil
			}
			return "", retryAfter(&event), &event
		}
	}
}

func retryAfter(err error) time.Duration {
	var e *comms.Error
	if errors.As(err, &e) {
		return time.Duration(e.Retry) * time.Millisecond
	}
	return 0
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
