package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// TestSilentRoutersAreSoonPassedBy: machines without power answer no dial, a
// stopped process none of what it is sent.
func TestSilentRoutersAreSoonPassedBy(t *testing.T) {
	for name, c := range map[string]struct {
		live  time.Duration // until the router that lives answers a dial
		tries time.Duration // until there is a login, at most
	}{
		"the third lives":         {0, 2 * time.Second},
		"the third lives far off": {2 * time.Second, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var servers sync.WaitGroup
				defer servers.Wait()
				live := &fakeServer{cluster: &fakeCluster{}, name: "live", conns: map[*comms.Conn]map[string]bool{}}
				dial := func(ctx context.Context, addr string) (net.Conn, error) {
					wait := comms.DialTimeout
					if addr == "live" {
						wait = c.live
					}
					if addr != "stopped" {
						select {
						case <-time.After(wait):
						case <-ctx.Done():
							return nil, ctx.Err()
						}
					}
					if addr == "dark" {
						return nil, errors.New("i/o timeout")
					}
					near, far := net.Pipe()
					if addr == "stopped" {
						servers.Go(func() { io.Copy(io.Discard, far) }) //nolint:errcheck // until the client ends it
					} else {
						servers.Go(func() { live.serve(comms.NewServerConn(far, time.Minute)) })
					}
					return near, nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				s, err := client.Connect(ctx, client.Options{Routers: []string{"dark", "stopped", "live"}, User: "ada", Dial: dial})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close() //nolint:errcheck // never fails
				if took := time.Since(began); took > c.tries {
					t.Errorf("the login took %v, want at most %v", took, c.tries)
				}
				// That the dark one's dial ends later is no news of the one that lives.
				for later := time.After(2 * comms.DialTimeout); ; {
					select {
					case e := <-s.Events():
						if link, ok := e.(client.RouterLink); ok && (!link.Up || link.Addr != "live") {
							t.Errorf("got %+v", link)
						}
						continue
					case <-later:
					}
					break
				}
			})
		})
	}
}

// TestConnectTriesForLong: nobody reads Events meanwhile.
func TestConnectTriesForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var server sync.WaitGroup
		defer server.Wait()
		live := &fakeServer{cluster: &fakeCluster{}, name: "live", conns: map[*comms.Conn]map[string]bool{}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		began := time.Now()
		s, err := client.Connect(ctx, client.Options{Routers: []string{"r"}, User: "ada", EventBuffer: 4, Dial: func(context.Context, string) (net.Conn, error) {
			if time.Since(began) < time.Hour {
				return nil, errors.New("connection refused")
			}
			near, far := net.Pipe()
			server.Go(func() { live.serve(comms.NewServerConn(far, time.Minute)) })
			return near, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.Close() //nolint:errcheck // never fails
	})
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
	synctest.Test(t, func(t *testing.T) { // where the dial may take as long as it likes
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := client.Connect(ctx, client.Options{Routers: []string{addr}}); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("nobody listens: %v", err)
		}
	})
	for what, opts := range map[string]client.Options{
		"no router":                       {},
		"a router without a port":         {Routers: []string{addr, "localhost"}},
		"a router with two ports":         {Routers: []string{"localhost:1:2"}},
		"a router of no name":             {Routers: []string{""}},
		"a buffer of less than no events": {Routers: []string{addr}, EventBuffer: -1},
	} {
		// It never comes to a dial, which would go on for as long as the context does.
		if _, err := client.Connect(t.Context(), opts); err == nil {
			t.Errorf("%s: it is connected", what)
		}
	}
	var refused *client.RefusedError
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
