package tlsconn

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// exhausted is a listener of a process that has no descriptor left, but for a few.
type exhausted struct {
	net.Listener
	conns  chan net.Conn
	free   chan struct{} // closed: it has some again
	closed chan struct{}
}

func (e exhausted) Accept() (net.Conn, error) {
	select {
	case nc := <-e.conns:
		return nc, nil
	case <-e.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case <-e.free:
	default:
		return nil, syscall.EMFILE
	}
	select {
	case nc := <-e.conns:
		return nc, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

func (e exhausted) Close() error { close(e.closed); return nil }

// TestServeTellsOnceThatNoConnectionCanBeTaken though it tries a hundred times a
// second, and that it can again: not at the first one that finds a place meanwhile.
func TestServeTellsOnceThatNoConnectionCanBeTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ln := exhausted{conns: make(chan net.Conn, 1), free: make(chan struct{}), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended, taken := make(chan error), make(chan struct{})
		go func() {
			ended <- Serve(ctx, ln, slog.New(slog.NewTextHandler(&log, nil)), func(net.Conn) { taken <- struct{}{} })
		}()
		for range 3 {
			time.Sleep(time.Second)
			ln.conns <- nil
			<-taken
		}
		close(ln.free)
		time.Sleep(5 * time.Second)
		for range 2 {
			ln.conns <- nil
			<-taken
		}
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("it ended with %v", err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[1], "level=INFO") {
			t.Errorf("%d lines, want a warning and that it is over:\n%s", len(lines), strings.Join(lines[:min(len(lines), 9)], "\n"))
		}
	})
}
