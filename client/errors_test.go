package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestUnreachableSaysWhyInOneLine, once, whatever wraps the reason.
func TestUnreachableSaysWhyInOneLine(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{}, Err: err} }
	for want, dialled := range map[string]error{
		"connection refused":       dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"no such host":             dial(&net.DNSError{Err: "no such host", Name: "a", IsNotFound: true}),
		"no answer":                dial(os.ErrDeadlineExceeded),
		"it closed the connection": io.EOF,
		"invalid port":             dial(errors.New("invalid port")),
		"something else":           errors.New("something else"),
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := client.Connect(ctx, client.Options{Routers: []string{"a:1", "b:2"}, Dial: func(context.Context, string) (net.Conn, error) { return nil, dialled }})
			var unreachable *client.UnreachableError
			if !errors.As(err, &unreachable) || !slices.Equal(unreachable.Routers, []string{"a:1", "b:2"}) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, dialled) {
				t.Errorf("%s: %#v", want, err)
			}
			if err.Error() != "could not reach a:1,b:2: "+want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}

// TestWhatIsNoRouter is told from one: a shard, whose address is often the next
// one, and whatever else listens there, such as the pages for people who operate.
func TestWhatIsNoRouter(t *testing.T) {
	c := newCluster("s1")
	t.Cleanup(c.close)
	c.set(func() {
		c.refuse = func(string, comms.Command) comms.Event {
			return comms.Error{Code: comms.CodeBadTicket, Message: "ask a router for one"}
		}
	})
	shard := c.shards["s1"].addr()
	pages := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(pages.Close)
	page := pages.Listener.Addr().String()
	for addr, want := range map[string]string{
		shard: shard + " is a shard, not a router",
		page:  "could not reach " + page + ": what listens there is no router",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := client.Connect(ctx, client.Options{Routers: []string{addr}}); err == nil || err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
