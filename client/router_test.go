package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestRouterThatStandsStillIsLeft: it takes connections, as the kernel does for
// a stopped process, or it has welcomed us, and answers nothing any more.
func TestRouterThatStandsStillIsLeft(t *testing.T) {
	for name, greeting := range map[string][]comms.Event{
		"before it said anything": nil,
		"after the welcome":       {comms.Welcome{Version: comms.Version, Name: "still", User: "ada", Ticket: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var still sync.WaitGroup
			defer still.Wait()
			defer ln.Close()
			still.Go(func() {
				for {
					nc, err := ln.Accept()
					if err != nil {
						return
					}
					conn := comms.NewServerConn(nc, time.Minute)
					still.Go(func() {
						defer conn.Close()
						conn.WriteEvent(greeting...) //nolint:errcheck // the test sees it
						for {
							if _, err := conn.ReadCommand(); err != nil {
								return
							}
						}
					})
				}
			})
			c := newCluster("s1")
			defer c.close()
			s := login(t, "ada", ln.Addr().String(), c.router.addr())
			defer s.Close() //nolint:errcheck // never fails
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := s.Join(ctx, "go", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNextRouterIsTaken(t *testing.T) {
	first, second := newCluster("s1"), newCluster("s1")
	t.Cleanup(first.close)
	t.Cleanup(second.close)
	s := login(t, "ada", first.router.addr(), second.router.addr())
	if link := next[client.RouterLink](t, s); !link.Up || link.Addr != first.router.addr() {
		t.Errorf("at first: %+v", link)
	}
	first.router.kill()
	if link := next[client.RouterLink](t, s); link.Up {
		t.Errorf("after the kill: %+v", link)
	}
	if link := next[client.RouterLink](t, s); !link.Up || link.Addr != second.router.addr() {
		t.Errorf("then: %+v", link)
	}
}

func TestConnectFailsClearly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := client.Connect(ctx, client.Options{Routers: []string{addr}}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := client.Connect(t.Context(), client.Options{}); err == nil {
		t.Error("no router was taken for one")
	}
	var refused *client.Refused
	if _, err := client.Connect(t.Context(), client.Options{Routers: []string{addr}, User: "A B"}); !errors.As(err, &refused) || refused.Code != comms.CodeBadUser {
		t.Errorf("a bad name: %v", err)
	}
	c := newCluster("s1")
	defer c.close()
	c.set(func() {
		c.refuse = func(string, comms.Command) comms.Event {
			return comms.Error{Code: comms.CodeVersion, Message: "too old"}
		}
	})
	if _, err := client.Connect(t.Context(), client.Options{Routers: []string{c.router.addr()}}); !errors.As(err, &refused) || refused.Code != comms.CodeVersion {
		t.Errorf("a refused login: %v", err)
	}
}

// TestShardsAreAskedWhenNoRouterIsThere: a shard that stood still cannot say at
// once where its rooms went, and there is no router to ask.
func TestShardsAreAskedWhenNoRouterIsThere(t *testing.T) {
	for name, elsewhere := range map[string]bool{"the same shard answers later": false, "another one has the room": true} {
		t.Run(name, func(t *testing.T) {
			c, s := connected(t, "s1", "s2")
			if elsewhere { // the session has met the other one before
				c.move("go", "s2", true)
				awaitUp(t, s, "s2")
				c.move("go", "s1", true)
				awaitUp(t, s, "s1")
			}
			c.router.kill()
			next[client.RouterLink](t, s)
			joins := 0
			c.mu.Lock()
			c.refuse = func(shard string, command comms.Command) comms.Event {
				join, ok := command.(comms.JoinRoom)
				if !ok || shard != "s1" {
					return nil
				}
				if joins++; joins > 3 && !elsewhere {
					return nil
				}
				return comms.Redirect{Room: join.Room, Retry: 1}
			}
			if elsewhere {
				c.owner["go"] = "s2"
			}
			c.mu.Unlock()
			c.shards["s1"].reset()
			want := "s1"
			if elsewhere {
				want = "s2"
			}
			awaitUp(t, s, want)
		})
	}
}
