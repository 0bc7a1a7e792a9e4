package client_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// watched is a connection that tells which end closed it first.
type watched struct {
	net.Conn
	theirs, ours atomic.Bool
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil && !w.ours.Load() {
		w.theirs.Store(true)
	}
	return n, err
}

func (w *watched) Close() error {
	w.ours.Store(true)
	return w.Conn.Close()
}

// TestCloseListensUntilTheShardHangsUp: it would lose what it has not read yet of
// what was said, where it finds that nobody takes its answers. Its end is no reason
// to come back.
func TestCloseListensUntilTheShardHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dial := piped("s1")
		defer c.wg.Wait()
		shard := &watched{}
		s, err := client.Connect(t.Context(), client.Options{Routers: []string{"router"}, User: "ada", EventBuffer: 1, Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			nc, err := dial(ctx, addr)
			if addr == "s1" {
				shard.Conn = nc
				nc = shard
			}
			return nc, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // never fails
		if err := s.Join(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
		c.set(func() { c.lag = 10 * time.Millisecond })
		ids := post(t, s, 10) // and nobody reads what comes of them
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !shard.theirs.Load() {
			t.Error("the shard was hung up on")
		}
		if got := commands[comms.SendMessage](c); len(got) != len(ids) {
			t.Errorf("%d of %d messages were heard", len(got), len(ids))
		}
		if got := len(commands[comms.JoinRoom](c)); got != 1 {
			t.Errorf("the room was joined %d times", got)
		}
	})
}

// TestCloseLosesNoFate: each message is acknowledged, or failed, or one that may be
// posted again, also where nobody reads what became of it.
func TestCloseLosesNoFate(t *testing.T) {
	refuse := func(command comms.Command) comms.Event {
		if m, ok := command.(comms.SendMessage); ok {
			return comms.Error{Code: comms.CodeConflict, Message: "no", Room: m.Room, ID: m.ID}
		}
		return nil
	}
	for name, answer := range map[string]func(comms.Command) comms.Event{
		"refused": refuse,
		"stored":  func(comms.Command) comms.Event { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, dial := piped("s1")
				defer c.wg.Wait()
				c.set(func() { c.refuse = func(_ string, command comms.Command) comms.Event { return answer(command) } })
				s, err := client.Connect(t.Context(), client.Options{Routers: []string{"router"}, User: "ada", EventBuffer: 4, Dial: dial})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Join(t.Context(), "go", nil); err != nil {
					t.Fatal(err)
				}
				want := map[string]bool{}
				for _, id := range post(t, s, 6) {
					want[id] = true
				}
				synctest.Wait()
				s.Close() //nolint:errcheck // never fails
				for e := range s.Events() {
					switch e := e.(type) {
					case client.Message:
						delete(want, e.ID)
					case client.SendFailed:
						delete(want, e.ID)
					}
				}
				for _, p := range s.Unacknowledged() {
					if !want[p.ID] {
						t.Errorf("%s is told of twice", p.ID)
					}
					delete(want, p.ID)
				}
				if len(want) > 0 {
					t.Errorf("nobody knows what became of %v", want)
				}
			})
		})
	}
}
