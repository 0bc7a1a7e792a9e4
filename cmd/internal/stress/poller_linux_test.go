package stress

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Whichever way a connection's acknowledgements went before, they are delayed
// once the load begins, so that all servers are read alike.
func TestAcknowledgementsAreDelayedWhenTheLoadBegins(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	nc, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t.Context(), &Px{}, Profile{}, "test")
	if e.poller, err = newPoller(e); err != nil {
		t.Fatal(err)
	}
	defer e.poller.close()
	l := &link{engine: e, owner: &session{user: "ada", gone: true}}
	if err := e.open(l, nc); err != nil {
		t.Fatal(err)
	}
	defer l.end(nil)
	fd := l.pipe.(*descriptor).fd
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1); err != nil {
		t.Fatal(err)
	}
	e.begin()
	if e.fault != nil {
		t.Fatal(e.fault)
	}
	if at, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK); err != nil || at != 0 {
		t.Errorf("acknowledges at once: %d, %v", at, err)
	}
}
