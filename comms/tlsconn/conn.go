package tlsconn

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

const (
	// closeGrace is how long Close may take to say that the connection ends. Who
	// closes often holds others up meanwhile, so it only covers the call itself.
	closeGrace = 50 * time.Millisecond
	// keptBuffer is the largest buffer that a connection keeps while it is idle.
	keptBuffer = 4 << 10
)

// Conn is a connection under TLS. Unlike that of *tls.Conn, its Close does not
// wait for a peer that reads nothing. It may be written to by Write, or by Seal
// and whoever writes to Beneath, not by both.
type Conn struct {
	*tls.Conn
	wire *wire
}

// Beneath is the connection that carries what Seal returns.
func (c *Conn) Beneath() net.Conn { return c.wire.Conn }

// Seal returns b as it is to go out on Beneath, behind what TLS itself has to
// say; valid until the next call. From the first one on the connection writes
// nothing by itself but its end.
func (c *Conn) Seal(b []byte) ([]byte, error) {
	w := c.wire
	w.mu.Lock()
	w.sealing = true
	w.mu.Unlock()
	_, err := c.Conn.Write(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.pending
	w.pending, w.spare = w.spare[:0], out
	if cap(out) > keptBuffer {
		w.spare = nil
	}
	return out, err
}

// Close says that the connection ends, if the peer takes that at once, and ends it.
func (c *Conn) Close() error {
	c.wire.mu.Lock()
	c.wire.closing = true
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

// wire is what a Conn reads and writes.
type wire struct {
	net.Conn
	heard bool // the peer has sent something; of the handshake

	mu             sync.Mutex
	sealing        bool   // what is written is gathered for Seal
	closing        bool   // what is written is the end, and goes out
	pending, spare []byte // gathered; returned by the last Seal
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.heard = w.heard || n > 0
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	if w.sealing && !w.closing {
		defer w.mu.Unlock()
		w.pending = append(w.pending, b...)
		return len(b), nil
	}
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// SetWriteDeadline gives the library's farewell, for which it asks 5 s, a moment.
func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	closing := w.closing
	w.mu.Unlock()
	if soon := time.Now().Add(closeGrace); closing && t.After(soon) {
		t = soon
	}
	return w.Conn.SetWriteDeadline(t)
}
