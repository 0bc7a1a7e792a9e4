package membershiptest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// streamBuffer is how much a stream holds that its reader has not taken, as a
// socket's buffers do.
const streamBuffer = 256 << 10

// stream is one direction of a connection.
type stream struct {
	network  *Network
	from, to string // IPs

	mu      sync.Mutex
	buf     []byte
	eof     bool          // the writer closed
	broken  bool          // reset
	changed chan struct{} // closed and made anew at every change
}

func (s *stream) wake() {
	s.mu.Lock()
	s.signal()
	s.mu.Unlock()
}

func (s *stream) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) reset() {
	s.mu.Lock()
	s.broken = true
	s.signal()
	s.mu.Unlock()
}

func (s *stream) cut() bool {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	return s.network.isCut(s.from, s.to)
}

func (s *stream) read(b []byte, deadline *deadline) (int, error) {
	for {
		cut := s.cut()
		s.mu.Lock()
		switch {
		case s.broken:
			s.mu.Unlock()
			return 0, syscall.ECONNRESET
		case len(s.buf) > 0 && !cut:
			n := copy(b, s.buf)
			s.buf = s.buf[n:]
			s.signal()
			s.mu.Unlock()
			return n, nil
		case s.eof && !cut:
			s.mu.Unlock()
			return 0, io.EOF
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.wait():
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (s *stream) write(b []byte, deadline *deadline) (n int, err error) {
	for len(b) > 0 {
		s.mu.Lock()
		switch {
		case s.broken:
			s.mu.Unlock()
			return n, syscall.ECONNRESET
		case s.eof:
			s.mu.Unlock()
			return n, net.ErrClosed
		case len(s.buf) < streamBuffer:
			k := min(len(b), streamBuffer-len(s.buf))
			s.buf = append(s.buf, b[:k]...)
			b, n = b[k:], n+k
			s.network.streamed.Add(int64(k))
			s.signal()
			s.mu.Unlock()
			continue
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.wait():
			return n, os.ErrDeadlineExceeded
		}
	}
	return n, nil
}

// conn is one end of a connection.
type conn struct {
	in, out       *stream
	local, remote address
	readBy        deadline
	writeBy       deadline
	closing       sync.Once
}

// pipe makes a connection. The network is locked by the caller.
func (n *Network) pipe(a, b address) (ours, theirs *conn) {
	make1 := func(from, to address) *stream {
		host := func(a address) string { h, _, _ := net.SplitHostPort(string(a)); return h }
		s := &stream{network: n, from: host(from), to: host(to), changed: make(chan struct{})}
		n.streams[s] = struct{}{}
		return s
	}
	there, back := make1(a, b), make1(b, a)
	ours = &conn{in: back, out: there, local: a, remote: b}
	theirs = &conn{in: there, out: back, local: b, remote: a}
	for _, c := range []*conn{ours, theirs} {
		c.readBy.reset(time.Time{})
		c.writeBy.reset(time.Time{})
	}
	return ours, theirs
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) { return c.in.read(b, &c.readBy) }

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b, &c.writeBy) }

// Close implements net.Conn: the other end reads what was written, then its end.
func (c *conn) Close() error {
	c.closing.Do(func() {
		c.out.mu.Lock()
		c.out.eof = true
		c.out.signal()
		c.out.mu.Unlock()
		c.in.reset() // nobody reads that any more
		c.readBy.reset(time.Time{})
		c.writeBy.reset(time.Time{})
		n := c.in.network
		n.mu.Lock()
		delete(n.streams, c.in)
		n.mu.Unlock()
	})
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.readBy.reset(t)
	c.writeBy.reset(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { c.readBy.reset(t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { c.writeBy.reset(t); return nil }

// deadline is a channel that is closed when a time has come; the time can be changed.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	past  chan struct{}
}

func (d *deadline) reset(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		d.past = nil // it fired, or is about to close the old channel
	}
	d.timer = nil
	if d.past == nil {
		d.past = make(chan struct{})
	}
	select {
	case <-d.past:
		d.past = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	past := d.past
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { close(past) })
	} else {
		close(past)
	}
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past
}
