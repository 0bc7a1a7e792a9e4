package router

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/comms"
)

// TestStrangerWhoReadsLate asks for every room a thousand times before it
// reads. Meanwhile the router keeps little for it; then it gets every answer.
func TestStrangerWhoReadsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ours, leave := stranger()
		defer leave()
		const asked = 1000
		r.wg.Go(func() {
			io.WriteString(ours, strings.Repeat(`{"_ct":"list_rooms"}`+"\n", asked)) //nolint:errcheck // the answers tell
		})
		synctest.Wait()
		r.mu.Lock()
		for c := range r.conns {
			if n := c.unwritten.Load(); n < askedBytes || n > askedBytes+2*comms.MaxEventFrame {
				t.Errorf("%d bytes are kept for it", n)
			}
		}
		r.mu.Unlock()
		c := &rawConn{t, ours, bufio.NewReader(ours)}
		for range asked {
			c.hear(`"room_list"`)
		}
	})
}

// TestStrangerWhoNeverReads is let go of.
func TestStrangerWhoNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ours, leave := stranger()
		defer leave()
		begun := time.Now()
		var err error
		for err == nil {
			_, err = io.WriteString(ours, `{"_ct":"list_rooms"}`+"\n")
		}
		if took := time.Since(begun); took > comms.WriteTimeout {
			t.Errorf("let go of after %s", took)
		}
	})
}

// TestAncestorGetsAllOfABurst that is far more than a connection's queue holds:
// those who came in all at once, and what was said meanwhile.
func TestAncestorGetsAllOfABurst(t *testing.T) {
	const people, messages = 800, 1000
	synctest.Test(t, func(t *testing.T) {
		r, stop := inBubble()
		defer stop()
		r.opts.Dial = func(context.Context, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			r.wg.Go(func() { bursting(r.ctx, theirs, people, messages) })
			return ours, nil
		}
		ours, theirs := net.Pipe()
		defer ours.Close()
		r.wg.Go(func() { r.serve(theirs, true) })
		c := &rawConn{t, ours, bufio.NewReader(ours)}
		c.hear(`"login_successful"`)
		c.say(`{"_ct":"join_room","r":"go"}`)
		synctest.Wait() // it has not read a line of it yet
		for i := range people {
			c.hear(fmt.Sprintf(`"u":"user-%d"`, i))
		}
		for i := range messages {
			c.hear(fmt.Sprintf(`"message %d"`, i+1))
		}
	})
}

// bursting is a shard of one room, which many join and in which much is said
// as soon as somebody has joined.
func bursting(ctx context.Context, nc net.Conn, people, messages int) {
	conn := comms.NewServerConn(nc, time.Hour)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	for {
		command, err := conn.ReadCommand()
		if err != nil {
			return
		}
		var events []comms.Event
		switch command := command.(type) {
		case comms.Hello:
			events = append(events, comms.Welcome{Version: 1, Session: "s", User: command.User, Role: "shard", Name: "s1", Boot: "s1-boot", Ticket: "t"})
		case comms.JoinRoom:
			joined := comms.Presence{Room: command.Room, Count: people}
			for i := range people {
				joined.Joined = append(joined.Joined, fmt.Sprint("user-", i))
			}
			events = append(events, comms.UserJoinedRoom{Room: command.Room, Users: []string{"bob"}, Count: 1, Epoch: 1}, joined)
			for i := range messages {
				events = append(events, comms.UserMessage{Room: command.Room, User: "bob", Content: fmt.Sprint("message ", i+1), ID: fmt.Sprint("b", i), Seq: uint64(i + 1), Epoch: 1, Time: 1})
			}
		}
		conn.WriteEvent(events...) //nolint:errcheck // its end is read above
	}
}

// stranger connects to a router of many rooms; leave ends both.
func stranger() (r *Router, ours net.Conn, leave func()) {
	var rooms []comms.Room
	for i := range 600 {
		rooms = append(rooms, comms.Room{Name: fmt.Sprintf("room-%03d", i), Description: strings.Repeat("x", comms.MaxDescription)})
	}
	r, stop := inBubble(rooms...)
	ours, theirs := net.Pipe()
	r.wg.Go(func() { r.serve(theirs, true) })
	return r, ours, func() {
		ours.Close()
		stop()
	}
}
