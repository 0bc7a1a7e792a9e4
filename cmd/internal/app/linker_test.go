package app

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
)

// TestClocksThatDifferAreToldOfOnce, by the member whose tickets are refused,
// however often it tries.
func TestClocksThatDifferAreToldOfOnce(t *testing.T) {
	keys := comms.NewKeys(make([]byte, 32))
	ahead := 12 * time.Minute
	dial := func(context.Context, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		ahead += time.Minute
		go func() {
			conn := comms.NewServerConn(theirs, time.Minute)
			defer conn.Close()
			if command, err := conn.ReadCommand(); err == nil {
				hello := command.(comms.Hello)
				conn.WriteEvent(*comms.AsError(keys.Check(hello.Ticket, hello.As, hello.User, time.Now().Add(ahead)))) //nolint:errcheck // the answer tells
			}
		}()
		return ours, nil
	}
	var log bytes.Buffer
	pool := peer.NewPool(keys, "s2", "b2", dial)
	defer pool.Close() //nolint:errcheck // never fails
	l := newLinker(pool, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		if _, err := l.Link(t.Context(), "s1:7000", "b1"); err == nil {
			t.Fatal("linked with a ticket that has expired there")
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "set the clocks") || !strings.Contains(log.String(), "13m0s behind") {
		t.Errorf("told %d times: %s", n, &log)
	}
}
