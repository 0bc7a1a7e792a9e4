package twin

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

// held is when a piece arrives whose sender is frozen, or its way cut.
var held = time.Unix(1<<40, 0)

// chunk is a piece under way. The last one has an end.
type chunk struct {
	at  time.Time // when it arrives
	b   []byte
	end error // io.EOF, or ECONNRESET
}

// stream is one direction of a connection, guarded by the network's mu.
type stream struct {
	network  *network
	from, to *host

	queue  []chunk
	size   int
	ended  bool      // an end was pushed
	closed bool      // the writer closed, or was killed
	gone   bool      // the reader closed, or was killed
	lost   bool      // with its machine: nobody says so to the writer
	readBy time.Time // deadlines; zero: none
	sendBy time.Time

	readable, writable chan struct{} // one slot: something changed
}

func (s *stream) wakeReader() { mark(s.readable) }
func (s *stream) wakeWriter() { mark(s.writable) }

func mark(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// push puts a piece on its way; end: the stream's last one, a reset if reset.
func (s *stream) push(b []byte, reset bool) {
	if s.ended || s.gone {
		return
	}
	c := chunk{at: s.arrival(), b: append([]byte(nil), b...)}
	if len(b) == 0 {
		s.ended = true
		c.end = io.EOF
		if reset {
			c.end = syscall.ECONNRESET
		}
	}
	s.size += len(b)
	s.queue = append(s.queue, c)
	s.wakeReader()
}

// arrival is when a piece sent now arrives: none overtakes another.
func (s *stream) arrival() time.Time {
	if s.from.frozen || s.network.isCut(s.from.ip, s.to.ip) {
		return held
	}
	at := time.Now().Add(s.network.delay(s.from, s.to))
	if n := len(s.queue); n > 0 && !at.After(s.queue[n-1].at) {
		at = s.queue[n-1].at.Add(1)
	}
	return at
}

// again sends what was held, once the sender and the way allow it.
func (s *stream) again() {
	queue := s.queue
	s.queue = nil
	for _, c := range queue {
		if c.at.Equal(held) {
			c.at = s.arrival()
		}
		s.queue = append(s.queue, c)
	}
	s.wakeReader()
}

// dropHeld forgets what a frozen sender had not sent.
func (s *stream) dropHeld() {
	for i, c := range s.queue {
		if c.at.Equal(held) && s.from.frozen {
			s.queue = s.queue[:i]
			s.ended = false
			return
		}
	}
}

func (s *stream) read(b []byte) (int, error) {
	n := s.network
	for {
		n.mu.Lock()
		now := time.Now()
		next := held
		switch {
		case s.gone:
			n.mu.Unlock()
			return 0, net.ErrClosed
		case s.to.frozen:
		case !s.readBy.IsZero() && !s.readBy.After(now):
			n.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(s.queue) > 0 && !s.queue[0].at.After(now) && !n.isCut(s.from.ip, s.to.ip):
			c := &s.queue[0]
			if c.end != nil {
				n.mu.Unlock()
				return 0, c.end
			}
			k := copy(b, c.b)
			s.size -= k
			if c.b = c.b[k:]; len(c.b) == 0 {
				s.queue = s.queue[1:]
			}
			s.wakeWriter()
			n.mu.Unlock()
			return k, nil
		default:
			if !s.readBy.IsZero() {
				next = s.readBy
			}
			if len(s.queue) > 0 && s.queue[0].at.After(now) && s.queue[0].at.Before(next) {
				next = s.queue[0].at
			}
		}
		n.mu.Unlock()
		wait(s.readable, next, now)
	}
}

// wait waits for a mark, or until next, if that is not for ever.
func wait(c chan struct{}, next, now time.Time) {
	if next.Equal(held) {
		<-c
		return
	}
	t := time.NewTimer(next.Sub(now))
	defer t.Stop()
	select {
	case <-c:
	case <-t.C:
	}
}

func (s *stream) write(b []byte) (sent int, err error) {
	n := s.network
	for len(b) > 0 {
		n.mu.Lock()
		now := time.Now()
		switch {
		case s.closed:
			n.mu.Unlock()
			return sent, net.ErrClosed
		case s.gone && !s.lost:
			n.mu.Unlock()
			return sent, syscall.ECONNRESET
		case s.size < streamBuffer:
			k := min(len(b), streamBuffer-s.size)
			if s.gone {
				s.size += k // nobody takes it, and nobody says so
			}
			s.push(b[:k], false)
			b, sent = b[k:], sent+k
			n.mu.Unlock()
			continue
		case !s.sendBy.IsZero() && !s.sendBy.After(now) && !s.from.frozen:
			n.mu.Unlock()
			return sent, os.ErrDeadlineExceeded
		}
		next := held
		if !s.sendBy.IsZero() && s.sendBy.After(now) {
			next = s.sendBy
		}
		n.mu.Unlock()
		wait(s.writable, next, now)
	}
	return sent, nil
}

// conn is one end of a connection.
type conn struct {
	in, out       *stream
	local, remote address
	closing       sync.Once
}

// pipe makes a connection from a to b. mu is held.
func (n *network) pipe(a, b *host, from, to string) (ours, theirs *conn) {
	one := func(from, to *host) *stream {
		s := &stream{network: n, from: from, to: to, readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
		n.streams = append(n.streams, s)
		return s
	}
	there, back := one(a, b), one(b, a)
	return &conn{in: back, out: there, local: address(from), remote: address(to)}, &conn{in: there, out: back, local: address(to), remote: address(from)}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close implements net.Conn: the other end reads what was written, then its end.
func (c *conn) Close() error {
	c.closing.Do(func() {
		n := c.in.network
		n.mu.Lock()
		defer n.mu.Unlock()
		c.out.push(nil, false)
		c.out.closed = true
		c.in.gone = true
		for _, s := range []*stream{c.in, c.out} {
			s.wakeReader()
			s.wakeWriter()
		}
		live := n.streams[:0]
		for _, s := range n.streams {
			if s != c.in && (s != c.out || !s.gone) {
				live = append(live, s)
			}
		}
		n.streams = live
	})
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t) //nolint:errcheck // never fails
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.network.mu.Lock()
	defer c.in.network.mu.Unlock()
	c.in.readBy = t
	c.in.wakeReader()
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.network.mu.Lock()
	defer c.out.network.mu.Unlock()
	c.out.sendBy = t
	c.out.wakeWriter()
	return nil
}
