package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestRefusedLeave ends all the same: who has left would be shown to the others
// for as long as the connection stands.
func TestRefusedLeave(t *testing.T) {
	for name, answer := range map[string]comms.Event{
		"the shard is not ready": comms.Error{Code: comms.CodeNotReady, Message: "later", Room: "go", Retry: 20},
		"the log is silent":      comms.Error{Code: comms.CodeStorage, Message: "later", Room: "go"},
		"we were not in it":      comms.Error{Code: comms.CodeNotJoined, Message: "you are not in the room", Room: "go"},
		"it is elsewhere":        comms.Redirect{Room: "go", Shard: "s2", Addr: "127.0.0.1:1", Epoch: 2},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := connected(t, "s1")
			refusals, want := 0, 1
			if e, ok := answer.(comms.Error); ok && comms.Retryable(e.Code) {
				want = 2
			}
			c.set(func() {
				c.refuse = func(_ string, command comms.Command) comms.Event {
					if _, ok := command.(comms.LeaveRoom); !ok || refusals > 0 {
						return nil
					}
					refusals++
					return answer
				}
			})
			if err := s.Leave(t.Context(), "go"); err != nil {
				t.Fatal(err)
			}
			if left := next[client.Left](t, s); left.Err != nil {
				t.Errorf("left with %v", left.Err)
			}
			if said := len(commands[comms.LeaveRoom](c)); said != want {
				t.Errorf("it was said %d times, want %d", said, want)
			}
		})
	}
}

// TestLeaveEndsTheSending: a shard refuses what comes behind the leave as if the
// connection had lost its place in the room.
func TestLeaveEndsTheSending(t *testing.T) {
	c, s := connected(t, "s1")
	sent, full := map[string]bool{}, make(chan struct{})
	c.set(func() {
		c.refuse = func(shard string, command comms.Command) comms.Event {
			if m, ok := command.(comms.SendMessage); ok {
				if sent[m.ID] = true; len(sent) == 32 {
					close(full)
				}
			} else if _, ok := command.(comms.LeaveRoom); !ok {
				return nil
			}
			return comms.PingEvent{} // and no answer
		}
	})
	ids := post(t, s, 40)
	<-full
	if err := s.Leave(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Post("go", "too late"); !errors.Is(err, client.ErrNotJoined) {
		t.Errorf("a message behind the leave: %v", err)
	}
	c.shards["s1"].reset()
	for _, id := range ids {
		want := comms.CodeNotJoined
		if sent[id] {
			want = comms.CodeUnknownFate // it may be stored
		}
		failed := next[client.SendFailed](t, s)
		var refused *client.RefusedError
		if !errors.As(failed.Err, &refused) || failed.ID != id || refused.Code != want {
			t.Errorf("failed: %+v, want %s of %s", failed, want, id)
		}
	}
	next[client.Left](t, s)
}

// TestJoinRightAfterLeave waits until the shard has let go.
func TestJoinRightAfterLeave(t *testing.T) {
	_, s := connected(t, "s1")
	if err := s.Leave(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	next[client.Left](t, s)
	next[client.Joined](t, s)
	acknowledged(t, s, 1, post(t, s, 1))
}

// TestJoinBehindALeaveIsGivenUp, by who waits for it or by another leave. The
// leave before it goes on.
func TestJoinBehindALeaveIsGivenUp(t *testing.T) {
	for name, giveUp := range map[string]struct {
		do   func(s *client.Session, cancel func()) error
		want error
	}{
		"cancelled": {func(_ *client.Session, cancel func()) error { cancel(); return nil }, context.Canceled},
		"left":      {func(s *client.Session, _ func()) error { return s.Leave(context.Background(), "go") }, client.ErrLeft},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := connected(t, "s1")
			leaving := make(chan struct{})
			c.set(func() {
				c.refuse = func(_ string, command comms.Command) comms.Event {
					if _, ok := command.(comms.LeaveRoom); ok {
						close(leaving)
						return comms.PingEvent{} // and no more for now
					}
					return nil
				}
			})
			if err := s.Leave(t.Context(), "go"); err != nil {
				t.Fatal(err)
			}
			<-leaving
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			joined := make(chan error, 1)
			go func() { joined <- s.Join(ctx, "go", nil) }()
			for { // until the join waits
				if _, err := s.Post("go", "x"); err == nil {
					break
				}
			}
			var refused *client.RefusedError
			if err := s.Join(t.Context(), "go", nil); !errors.As(err, &refused) || refused.Code != comms.CodeJoined {
				t.Errorf("a second join: %v", err)
			}
			if err := giveUp.do(s, cancel); err != nil {
				t.Fatal(err)
			}
			if err := <-joined; !errors.Is(err, giveUp.want) {
				t.Errorf("the join ended with %v", err)
			}
			if failed := next[client.SendFailed](t, s); failed.Room != "go" {
				t.Errorf("failed: %+v", failed)
			}
			c.shards["s1"].tell(comms.RoomLeft{Room: "go"})
			next[client.Left](t, s)
			if err := s.Leave(t.Context(), "go"); !errors.Is(err, client.ErrNotJoined) {
				t.Errorf("left, and still there: %v", err)
			}
		})
	}
}

// TestJoinBehindALeaveWithoutAnswer takes no longer than one without a leave: the
// shard may stand still, and the router name another.
func TestJoinBehindALeaveWithoutAnswer(t *testing.T) {
	inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		c.set(func() { c.silent, c.guess, c.owner["go"] = "s1", "s2", "s2" })
		if err := s.Leave(t.Context(), "go"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := s.Join(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("joined after %s", took)
		}
	}, "s1", "s2")
}

// TestRoomThatIsRefusedAgain says why it is left, though nobody asked for that.
func TestRoomThatIsRefusedAgain(t *testing.T) {
	c, s := connected(t, "s1")
	c.set(func() {
		c.refuse = func(_ string, command comms.Command) comms.Event {
			if join, ok := command.(comms.JoinRoom); ok {
				return comms.Error{Code: comms.CodeNoRoom, Message: "no such room", Room: join.Room}
			}
			return nil
		}
	})
	c.shards["s1"].reset()
	var refused *client.RefusedError
	if left := next[client.Left](t, s); left.Room != "go" || !errors.As(left.Err, &refused) || refused.Code != comms.CodeNoRoom {
		t.Errorf("got %+v", left)
	}
}

// TestLeaveWithAContextThatHasEnded leaves: it waits for nobody, and who cleans up
// has often no other context.
func TestLeaveWithAContextThatHasEnded(t *testing.T) {
	_, s := connected(t, "s1")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 { // or it might be by chance
		if err := s.Leave(ended, "go"); err != nil {
			t.Fatal(err)
		}
		next[client.Left](t, s)
		if err := s.Join(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
	}
}
