package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestRoomIsMadeOnce: who made it is not told that it exists already, whatever
// became of the answer; whoever comes too late is.
func TestRoomIsMadeOnce(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(c *fakeCluster)
		first   func(c *fakeCluster) comms.Event // what comes of the first command, if not the usual
		sent    int
		code    string // of the refusal
	}{
		"the log is slow": {nil, func(c *fakeCluster) comms.Event { c.lag = 5 * time.Second; return nil }, 1, ""},
		"the answer goes astray": {nil, func(c *fakeCluster) comms.Event {
			c.made = append(c.made, "new")
			return comms.PingEvent{}
		}, 2, ""},
		"the connection breaks": {nil, func(c *fakeCluster) comms.Event {
			c.made = append(c.made, "new")
			c.shards["s1"].reset()
			return comms.PingEvent{}
		}, 2, ""},
		"the log does not answer": {nil, func(c *fakeCluster) comms.Event {
			c.made = append(c.made, "new")
			return comms.Error{Code: comms.CodeUnknownFate, Room: "new", Retry: 200}
		}, 2, ""},
		"somebody is faster": {func(c *fakeCluster) { c.made = append(c.made, "new") }, nil, 1, comms.CodeRoomExists},
		"somebody is faster while the log is full": {nil, func(c *fakeCluster) comms.Event {
			c.made = append(c.made, "new")
			return comms.Error{Code: comms.CodeStorage, Room: "new", Retry: 200}
		}, 2, comms.CodeRoomExists},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
				c.set(func() {
					if test.prepare != nil {
						test.prepare(c)
					}
					c.refuse = func(_ string, command comms.Command) comms.Event {
						if _, ok := command.(comms.CreateRoom); ok && test.first != nil {
							first := test.first
							test.first = nil
							return first(c)
						}
						return nil
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := s.Create(ctx, "new", "")
				var refused *client.RefusedError
				if errors.As(err, &refused); test.code == "" && err != nil || test.code != "" && (refused == nil || refused.Code != test.code) {
					t.Errorf("got %v, want %q", err, test.code)
				}
				if sent := len(commands[comms.CreateRoom](c)); sent != test.sent {
					t.Errorf("sent %d times, want %d", sent, test.sent)
				}
			}, "s1")
		})
	}
}

// TestRoomIsMadeWhileItIsLeft: a shard answers in order, and nobody takes what is
// said to another.
func TestRoomIsMadeWhileItIsLeft(t *testing.T) {
	later := comms.Error{Code: comms.CodeStorage, Room: "go", Retry: 200}
	for name, answers := range map[string]struct{ create, leave comms.Event }{
		"the making is put off":           {later, nil},
		"both are put off":                {later, later},
		"the leaving is put off":          {nil, later},
		"the room was left already":       {later, comms.Error{Code: comms.CodeNotJoined, Room: "go"}},
		"it is made, and served no more":  {nil, comms.Redirect{Room: "go"}},
		"it is neither made nor left yet": {comms.Error{Code: comms.CodeUnknownFate, Room: "go"}, comms.Error{Code: comms.CodeNotReady, Room: "go"}},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
				said := map[string]comms.Event{"create_room": answers.create, "leave_room": answers.leave}
				c.set(func() {
					c.lag = time.Second
					c.refuse = func(_ string, command comms.Command) comms.Event {
						e := said[command.CommandType()]
						delete(said, command.CommandType())
						if _, ok := command.(comms.CreateRoom); ok && e != nil {
							c.mu.Unlock()
							<-time.After(time.Second) // or it is answered before the leave is said
							c.mu.Lock()
						}
						return e
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				made := make(chan error, 1)
				go func() { made <- s.Create(ctx, "go", "") }()
				synctest.Wait()
				if err := s.Leave(ctx, "go"); err != nil {
					t.Fatal(err)
				}
				next[client.Left](t, s)
				if err := <-made; err != nil {
					t.Errorf("made: %v", err)
				}
			}, "s1")
		})
	}
}
