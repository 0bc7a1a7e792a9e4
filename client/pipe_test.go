package client_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// named is a listener that has an address and nothing else.
type named struct {
	net.Listener
	name string
}

func (n named) Addr() net.Addr { return &net.UnixAddr{Name: n.name} }

// roomy is a server's end of a pipe that holds what was not read yet, as a socket
// does: a server and a client that write at once would wait for each other.
type roomy struct {
	net.Conn
	unread chan []byte
	end    func()
	ended  chan struct{}
}

func newRoomy(nc net.Conn) *roomy {
	r := &roomy{Conn: nc, unread: make(chan []byte, 1000), ended: make(chan struct{})}
	r.end = sync.OnceFunc(func() { close(r.ended) })
	return r
}

func (r *roomy) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // a pipe would hand that on
	}
	select {
	case r.unread <- bytes.Clone(b):
		return len(b), nil
	case <-r.ended:
		return 0, net.ErrClosed
	}
}

// pass hands on what was written until the connection is closed.
func (r *roomy) pass() {
	for {
		select {
		case b := <-r.unread:
			r.Conn.Write(b) //nolint:errcheck // whoever reads sees the end
		case <-r.ended:
			return
		}
	}
}

func (r *roomy) Close() error {
	r.end()
	return r.Conn.Close()
}

// piped is a cluster in a bubble, where time passes only if somebody waits for it,
// and a way to its servers.
func piped(shards ...string) (*fakeCluster, func(context.Context, string) (net.Conn, error)) {
	c := &fakeCluster{shards: map[string]*fakeServer{}, owner: map[string]string{}, guess: shards[0], epoch: 1, records: map[string][]comms.Record{}}
	servers := map[string]*fakeServer{}
	for _, name := range append([]string{"router"}, shards...) {
		servers[name] = &fakeServer{cluster: c, name: name, ln: named{name: name}, conns: map[*comms.Conn]map[string]bool{}}
		if name != "router" {
			c.shards[name] = servers[name]
		}
	}
	c.router = servers["router"]
	return c, func(_ context.Context, addr string) (net.Conn, error) {
		near, pipe := net.Pipe()
		far := newRoomy(pipe)
		c.wg.Go(far.pass)
		c.wg.Go(func() { servers[addr].serve(comms.NewServerConn(far, time.Hour)) })
		return near, nil
	}
}

// inBubble runs f in a bubble, with ada's session at a piped cluster.
func inBubble(t *testing.T, f func(t *testing.T, c *fakeCluster, s *client.Session), shards ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, dial := piped(shards...)
		defer c.wg.Wait()
		s, err := client.Connect(t.Context(), client.Options{Routers: []string{"router"}, User: "ada", Dial: dial})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // never fails
		f(t, c, s)
	})
}

// inRoom is inBubble with ada in #go.
func inRoom(t *testing.T, f func(t *testing.T, c *fakeCluster, s *client.Session), shards ...string) {
	t.Helper()
	inBubble(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		t.Helper()
		if err := s.Join(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
		f(t, c, s)
	}, shards...)
}
