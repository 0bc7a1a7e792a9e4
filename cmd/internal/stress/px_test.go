package stress

import (
	"context"
	"net"
	"testing"

	"positivity-exchange/comms"
)

// TestConnectionIsLeftAloneOnceItIsGiven: who comes and goes is interrupted at the
// end of the load, and a connection that was opened just then stays until the
// run's.
func TestConnectionIsLeftAloneOnceItIsGiven(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() {
			defer close(served)
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			conn := comms.NewServerConn(nc, 0)
			conn.ReadCommand()               //nolint:errcheck // who asks tells
			conn.WriteEvent(comms.Welcome{}) //nolint:errcheck // likewise
			cancel()
			conn.WriteEvent(comms.PingEvent{N: 1}) //nolint:errcheck // likewise
		}()
		nc, conn, _, err := (&Px{}).hello(ctx, listener.Addr().String(), "ada", "")
		<-served
		if err != nil {
			continue // interrupted before
		}
		if _, err := conn.ReadEvent(); err != nil {
			t.Fatal(err)
		}
		nc.Close()
	}
}
