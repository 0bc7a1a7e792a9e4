package tlsconn

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// closeGrace is how long Close may take to say that the connection ends. Who
// closes often holds others up meanwhile, so it only covers the call itself.
const closeGrace = 50 * time.Millisecond

// Conn is a connection under TLS. Unlike that of *tls.Conn, its Close does not
// wait for a peer that reads nothing.
type Conn struct {
	*tls.Conn
	wire *wire
}

// Close says that the connection ends, if the peer takes that at once, and ends it.
func (c *Conn) Close() error {
	c.wire.closing.Store(true)
	return c.Conn.Close()
}

// wire is what a Conn reads and writes.
type wire struct {
	net.Conn
	heard   bool // the peer has sent something; of the handshake
	closing atomic.Bool
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.heard = w.heard || n > 0
	return n, err
}

// SetWriteDeadline gives the library's farewell, for which it asks 5 s, a moment.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if soon := time.Now().Add(closeGrace); w.closing.Load() && t.After(soon) {
		t = soon
	}
	return w.Conn.SetWriteDeadline(t)
}
