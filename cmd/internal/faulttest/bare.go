package faulttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// askEvery is how often a bare reader asks a silent shard whether it is there;
// after silentFor without a word it looks for the room elsewhere.
const (
	askEvery  = 500 * time.Millisecond
	silentFor = 2 * time.Second
)

var errRestless = errors.New("restless")

// bareDial opens a connection and says hello.
func bareDial(ctx context.Context, addr string, hello comms.Hello) (*comms.Conn, comms.Welcome, error) {
	d := net.Dialer{Timeout: comms.DialTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, comms.Welcome{}, err
	}
	conn := comms.NewClientConn(nc)
	conn.SetIdle(silentFor)
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // ends the reads below
	defer stop()
	if err = conn.WriteCommand(hello); err == nil {
		for {
			var e comms.Event
			if e, err = conn.ReadEvent(); err != nil {
				break
			}
			switch e := e.(type) {
			case comms.Welcome:
				return conn, e, nil
			case comms.Error:
				conn.Close() //nolint:errcheck // refused
				return nil, comms.Welcome{}, &e
			}
		}
	}
	conn.Close() //nolint:errcheck // the first error counts
	return nil, comms.Welcome{}, err
}

// bareLocate asks a router for a ticket and where the room is.
func (r *reader) bareLocate(ctx context.Context) (addr, ticket string, err error) {
	err = errors.New("no router")
	for _, router := range r.load.routers {
		var conn *comms.Conn
		var welcome comms.Welcome
		conn, welcome, err = bareDial(ctx, router, comms.Hello{Version: comms.Version, User: r.user})
		if err != nil {
			continue
		}
		defer conn.Close() //nolint:errcheck // read
		if err = conn.WriteCommand(comms.Locate{Room: r.room}); err != nil {
			continue
		}
		for {
			var e comms.Event
			if e, err = conn.ReadEvent(); err != nil {
				break
			}
			switch e := e.(type) {
			case comms.Located:
				return e.Addr, welcome.Ticket, nil
			case comms.Error:
				return "", "", &e
			}
		}
	}
	return "", "", err
}

// enter joins the room wherever it is and returns who is shown there, asking a
// router again while shards send it round, as they do while one after the other
// finds that it is cut from the log. How long that may take is ctx's to say.
func (r *reader) enter(ctx context.Context) (conn *comms.Conn, users []string, err error) {
	for ctx.Err() == nil {
		addr, ticket, err := r.bareLocate(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("locate: %w", err)
		}
		for range 3 {
			conn, users, next, err := r.joinAt(ctx, addr, ticket)
			if err != nil || next == "" {
				return conn, users, err
			}
			addr = next
		}
		pass(ctx, 20*time.Millisecond)
	}
	return nil, nil, fmt.Errorf("#%s is not found: %w", r.room, ctx.Err())
}

// joinAt joins the room at addr, or says where it is next.
func (r *reader) joinAt(ctx context.Context, addr, ticket string) (conn *comms.Conn, users []string, next string, err error) {
	conn, _, err = bareDial(ctx, addr, comms.Hello{Version: comms.Version, User: r.user, Ticket: ticket})
	if err != nil {
		return nil, nil, "", err
	}
	conn.SetIdle(time.Minute)
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // ends the read below
	defer stop()
	users, next, err = joinOnce(conn, r.room)
	if err != nil || next != "" {
		conn.Close() //nolint:errcheck // nothing is lost
		return nil, nil, next, err
	}
	return conn, users, "", nil
}

// joinOnce joins and returns who is shown, or where the room is.
func joinOnce(conn *comms.Conn, room string) (users []string, next string, err error) {
	if err := conn.WriteCommand(comms.JoinRoom{Room: room}); err != nil {
		return nil, "", err
	}
	for {
		e, err := conn.ReadEvent()
		if err != nil {
			return nil, "", err
		}
		switch e := e.(type) {
		case comms.UserJoinedRoom:
			if e.Silent {
				return nil, "", fmt.Errorf("who is in #%s is not known yet", room)
			}
			return e.Users, "", nil
		case comms.Redirect:
			return nil, e.Addr, nil
		case comms.Error:
			return nil, "", &e
		}
	}
}

// bare joins the room at addr, or where a router says, and writes down what
// comes until the connection or the room's stay there ends.
func (r *reader) bare(ctx context.Context, addr string, in func()) error {
	located, ticket, err := r.bareLocate(ctx)
	if err != nil {
		return fmt.Errorf("locate: %w", err)
	}
	if addr == "" {
		addr = located
	}
	conn, welcome, err := bareDial(ctx, addr, comms.Hello{Version: comms.Version, User: r.user, Ticket: ticket})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	defer conn.Close() //nolint:errcheck // it is over
	asking.Go(func() {
		defer conn.Close() //nolint:errcheck // ends the reads below
		for n := uint64(1); ctx.Err() == nil; n++ {
			if conn.WriteCommand(comms.Ping{N: n}) != nil {
				return
			}
			pass(ctx, askEvery)
		}
	})
	after := r.last
	if err := conn.WriteCommand(comms.JoinRoom{Room: r.room, After: &after}); err != nil {
		return err
	}
	again := r.restlessAfter()
	present := false
	defer func() {
		if present {
			r.load.came(r.room, r.user, -1)
		}
	}()
	for {
		select {
		case <-again:
			if r.load.talking.Err() == nil {
				return errRestless
			}
		default:
		}
		e, err := conn.ReadEvent()
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case comms.UserJoinedRoom:
			present = true
			r.load.came(r.room, r.user, 1)
			r.load.served(r.room, r.user, r.last.Seq, e.Epoch, welcome.Name, addr)
			r.load.reached(r.room, r.user, r.last.Seq)
			in()
		case comms.UserMessage:
			r.delivered(comms.Record{Seq: e.Seq, Epoch: e.Epoch, User: e.User, ID: e.ID, Content: e.Content})
		case comms.HistoryCut:
			r.load.log.Add(checker.Event{Kind: checker.Cut, Room: r.room, Who: r.user, Seq: e.At})
			r.last = comms.Position{Seq: e.At}
		case comms.RoomMoved:
			return errMoved{e.Addr, 0}
		case comms.Redirect:
			return errMoved{e.Addr, time.Duration(e.Retry) * time.Millisecond}
		case comms.Error:
			return &e
		case comms.Goodbye:
			return errors.New(e.Reason)
		case comms.PingEvent:
			if err := conn.WriteCommand(comms.Pong(e)); err != nil {
				return err
			}
		}
	}
}
