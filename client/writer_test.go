package client_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// reluctant is a shard that reads nothing once it has let somebody into so many
// rooms, until it is told to go on; heard is what was said to it then.
type reluctant struct {
	ln    net.Listener
	rooms int
	goOn  chan struct{}
	heard chan comms.SendMessage
}

// serve lets the user in, and answers no message.
func (r *reluctant) serve() {
	nc, err := r.ln.Accept()
	if err != nil {
		return
	}
	defer nc.Close()
	conn := comms.NewServerConn(nc, time.Minute)
	joined := 0
	for {
		command, err := conn.ReadCommand()
		if err != nil {
			return
		}
		switch command := command.(type) {
		case comms.Hello:
			conn.WriteEvent(comms.Welcome{Version: 1, Session: "s", User: command.User, Role: "shard", Name: "s9", Boot: "b", Ticket: "t"}) //nolint:errcheck // its end is read above
		case comms.JoinRoom:
			conn.WriteEvent(comms.UserJoinedRoom{Room: command.Room, Users: []string{"ada"}, Count: 1, Epoch: 1}) //nolint:errcheck // its end is read above
			if joined++; joined == r.rooms {
				<-r.goOn
			}
		case comms.SendMessage:
			r.heard <- command
		}
	}
}

// TestShardThatReadsNothing holds up its own rooms only. What waits for it goes
// out in order when it reads on.
func TestShardThatReadsNothing(t *testing.T) {
	const rooms, each = 10, 32
	c := newCluster("s1")
	t.Cleanup(c.close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shard := &reluctant{ln: ln, rooms: rooms, goOn: make(chan struct{}), heard: make(chan comms.SendMessage, rooms*each)}
	c.wg.Go(shard.serve)
	t.Cleanup(func() { ln.Close() })
	c.set(func() {
		c.refuse = func(server string, command comms.Command) comms.Event {
			if l, ok := command.(comms.Locate); ok && server == "router" && strings.HasPrefix(l.Room, "far-") {
				return comms.Located{Room: l.Room, Shard: "s9", Addr: ln.Addr().String()}
			}
			return nil
		}
	})
	s, err := client.Connect(t.Context(), client.Options{Routers: []string{c.router.addr()}, User: "ada", EventBuffer: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
	for i := range rooms {
		if err := s.Join(t.Context(), fmt.Sprint("far-", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Join(t.Context(), "near", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	posted := make(chan struct{})
	c.wg.Go(func() {
		defer close(posted)
		for n := range each {
			for i := range rooms {
				text := fmt.Sprintf("%03d%s", n, strings.Repeat("x", comms.MaxContent-3))
				if _, err := s.Post(fmt.Sprint("far-", i), text); err != nil {
					return // the session is closed
				}
			}
		}
	})
	select {
	case <-posted:
	case <-ctx.Done():
		t.Error("posting to it stood still")
	}
	if _, err := s.Send(ctx, "near", "hello"); err != nil {
		t.Errorf("a message to another shard: %v", err)
	}
	close(shard.goOn)
	said := map[string]int{}
	for range rooms * each {
		select {
		case m := <-shard.heard:
			if want := fmt.Sprintf("%03d", said[m.Room]); m.Content[:3] != want {
				t.Fatalf("#%s: got %s, want %s", m.Room, m.Content[:3], want)
			}
			said[m.Room]++
		case <-ctx.Done():
			t.Fatalf("it heard %v", said)
		}
	}
}

// TestConnectionThatTakesNothingIsGivenUp, before what waits for it fills the memory.
func TestConnectionThatTakesNothingIsGivenUp(t *testing.T) {
	inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		next[client.RoomLink](t, s)
		c.set(func() { c.lag = time.Hour }) // of its next answer, and it reads nothing meanwhile
		post(t, s, 1)
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 4000 {
			c.wg.Go(func() { s.Create(ctx, fmt.Sprint("room-", i), strings.Repeat("x", comms.MaxDescription)) }) //nolint:errcheck // ended below
		}
		if at := next[client.RoomLink](t, s); at.State != client.LinkReconnecting || time.Since(start) > time.Second {
			t.Errorf("after %s: %+v", time.Since(start), at)
		}
	}, "s1")
}
