package fanout

import (
	"bufio"
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestWrittenWaitsForThePeer until it has taken replies and what its rings hold,
// and no longer than it is given.
func TestWrittenWaitsForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t)
		server, client := net.Pipe()
		defer client.Close() //nolint:errcheck // never fails
		r := p.NewRing(0, &book{})
		o := p.NewOutlet(server, func(error) {})
		o.Attach(r, 0, []byte("reply\n"))
		r.Append(1, []byte("record\n"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := o.Written(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("nobody reads: %v", err)
		}
		written := make(chan error, 1)
		go func() { written <- o.Written(t.Context()) }()
		lines := bufio.NewScanner(client)
		for _, want := range []string{"reply", "record"} {
			synctest.Wait()
			select {
			case <-written:
				t.Fatalf("it returned before the peer read the %s", want)
			default:
			}
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("got %q, want %s", lines.Text(), want)
			}
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		if err := o.Written(t.Context()); err != nil {
			t.Errorf("nothing waits: %v", err)
		}
	})
}
