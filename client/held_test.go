package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// full is a log that refuses for now all commands of type C, as long as while says so.
func full[C comms.Command](c *fakeCluster, room string, while func() bool) {
	c.set(func() {
		c.refuse = func(_ string, command comms.Command) comms.Event {
			if _, ok := command.(C); !ok || !while() {
				return nil
			}
			e := comms.Error{Code: comms.CodeStorage, Message: "the disk is full", Room: room, Retry: 200}
			if m, ok := command.(comms.SendMessage); ok {
				e.ID = m.ID
			}
			return e
		}
	})
}

// TestWhatHoldsMessagesIsTold: who waits for them may be able to do something.
func TestWhatHoldsMessagesIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		lasts time.Duration
		told  bool
	}{
		"for long":       {5 * time.Second, true},
		"for an instant": {500 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
				began := time.Now()
				full[comms.SendMessage](c, "go", func() bool { return time.Since(began) < test.lasts })
				ids := post(t, s, 40)
				if test.told {
					held := next[client.Held](t, s)
					var refused *client.RefusedError
					if held.Room != "go" || !errors.As(held.Err, &refused) || refused.Code != comms.CodeStorage {
						t.Errorf("got %+v", held)
					}
					if took := time.Since(began); took < time.Second || took > 2*time.Second {
						t.Errorf("told after %s", took)
					}
				}
				var told []client.Held
				for acked := 0; acked < len(ids); {
					switch e := (<-s.Events()).(type) {
					case client.Message:
						acked++
					case client.Held:
						told = append(told, e)
					}
				}
				if test.told && (len(told) != 1 || told[0].Err != nil) || !test.told && len(told) > 0 {
					t.Errorf("told %+v", told)
				}
			}, "s1")
		})
	}
}

// TestWhoGivesUpHearsWhy: what was refused all the while, and not only that the
// time is over.
func TestWhoGivesUpHearsWhy(t *testing.T) {
	always := func() bool { return true }
	for name, test := range map[string]struct {
		refuse func(*fakeCluster)
		call   func(context.Context, *client.Session) error
	}{
		"send": {func(c *fakeCluster) { full[comms.SendMessage](c, "go", always) }, func(ctx context.Context, s *client.Session) error {
			_, err := s.Send(ctx, "go", "x")
			return err
		}},
		"join": {func(c *fakeCluster) { full[comms.JoinRoom](c, "tea", always) }, func(ctx context.Context, s *client.Session) error {
			return s.Join(ctx, "tea", nil)
		}},
		"create": {func(c *fakeCluster) { full[comms.CreateRoom](c, "tea", always) }, func(ctx context.Context, s *client.Session) error {
			return s.Create(ctx, "tea", "")
		}},
		"history": {func(c *fakeCluster) { full[comms.History](c, "tea", always) }, func(ctx context.Context, s *client.Session) error {
			_, err := s.History(ctx, comms.History{Room: "tea", Limit: 1})
			return err
		}},
		"where, of the router": {func(c *fakeCluster) { full[comms.Locate](c, "tea", always) }, func(ctx context.Context, s *client.Session) error {
			_, err := s.Where(ctx, "tea")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
				test.refuse(c)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				err := test.call(ctx, s)
				var refused *client.RefusedError
				if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &refused) || refused.Code != comms.CodeStorage {
					t.Errorf("got %v", err)
				}
			}, "s1")
		})
	}
}

// TestSendThatIsGivenUp leaves nothing behind that is not told of: a bot that
// tries again would say it twice.
func TestSendThatIsGivenUp(t *testing.T) {
	for name, sent := range map[string]bool{"before it was sent": false, "without an answer": true} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
				c.set(func() {
					c.refuse = func(_ string, command comms.Command) comms.Event {
						switch command := command.(type) {
						case comms.SendMessage:
							return comms.PingEvent{}
						case comms.JoinRoom:
							return comms.Error{Code: comms.CodeNotReady, Room: command.Room, Retry: 100}
						}
						return nil
					}
				})
				if !sent {
					c.shards["s1"].reset()
					for next[client.RoomLink](t, s).State != client.LinkReconnecting {
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				m, err := s.Send(ctx, "go", "x")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it ended with %v", err)
				}
				left := s.Unacknowledged()
				if sent && (m.ID == "" || len(left) != 1 || left[0].ID != m.ID) || !sent && (m.ID != "" || len(left) > 0) {
					t.Errorf("it is %q, and left are %+v", m.ID, left)
				}
			}, "s1")
		})
	}
}
