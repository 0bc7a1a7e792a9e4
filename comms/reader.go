package comms

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"positivity-exchange/comms/rawconn"
)

// firstBuffer is what a frame's reading starts with; most commands fit, and
// many that come together.
const firstBuffer = 4 << 10

// buffers lends first buffers: a connection has one only while it holds bytes
// that are not handed out yet, so that a silent one costs none.
var buffers = sync.Pool{New: func() any { return new([firstBuffer]byte) }}

// Reader reads frames of one connection.
type Reader struct {
	nc      net.Conn
	raw     syscall.RawConn // nil: reads go through nc
	max     int
	idle    time.Duration
	buf     []byte             // nil while nothing is unread
	lent    *[firstBuffer]byte // what buf stands on, unless it has grown
	start   int                // of what was read and not yet returned
	end     int
	scanned int           // up to here no line end was found
	reads   atomic.Uint64 // that brought something
	patient bool          // with an unfinished frame of which more comes
	begun   time.Time     // when the unfinished frame's first byte came
	expires time.Time     // read deadline as last set

	read func(fd uintptr) bool // r.readReady, bound once
	n    int                   // its results
	err  error
}

// NewReader reads frames of at most max bytes, line end included, from nc. It
// sets nc's read deadline: while no frame has begun idle (0: none), and up to an
// eighth of it more, a second at most; FrameTimeout from a frame's first byte on,
// however slowly the rest drips in (a client's is patient: from any byte on).
func NewReader(nc net.Conn, max int, idle time.Duration) *Reader {
	r := &Reader{nc: nc, max: max, idle: idle}
	if r.raw = rawconn.Of(nc); r.raw != nil {
		r.read = r.readReady
	}
	return r
}

// SetIdle changes the idle deadline from the next frame on.
func (r *Reader) SetIdle(d time.Duration) { r.idle = d }

// SetMax changes how long a frame may be, from the next one on.
func (r *Reader) SetMax(max int) { r.max = max }

// Ready reports whether Next would return without reading from the network.
func (r *Reader) Ready() bool { return bytes.IndexByte(r.buf[r.scanned:r.end], '\n') >= 0 }

// Next returns the next frame without its line end, valid until the next call.
// Errors: io.EOF between frames, io.ErrUnexpectedEOF within one,
// os.ErrDeadlineExceeded when idle, a *Error with CodeFrameTooLong,
// CodeFrameTimeout or CodeTLS, or the network's.
func (r *Reader) Next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.scanned:r.end], '\n'); i >= 0 {
			line := r.buf[r.start : r.scanned+i]
			r.start = r.scanned + i + 1
			r.scanned = r.start
			r.begun = time.Time{}
			if len(line)+1 > r.max {
				return nil, r.tooLong()
			}
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		r.scanned = r.end
		if r.end-r.start >= r.max {
			return nil, r.tooLong()
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

func (r *Reader) tooLong() error {
	return errorf(CodeFrameTooLong, "a line has more than %d bytes; send shorter ones", r.max)
}

// fill reads once, making room first.
func (r *Reader) fill() error {
	partial := r.end > r.start
	switch {
	case !partial:
		r.release()
	case r.end == len(r.buf) && r.start > 0:
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start, r.scanned = 0, r.end
	case r.end == len(r.buf):
		r.buf = append(r.buf, make([]byte, min(len(r.buf), r.max-len(r.buf)))...)
		r.giveBack()
	}
	r.setDeadline(partial)
	n, err := r.readOnce()
	r.end += n
	if r.end == r.start {
		r.release() // nothing came: who waits elsewhere for more needs no buffer
	}
	first := n > 0 && r.reads.Add(1) == 1
	switch {
	case first && isTLS(r.buf[r.start]):
		return errorf(CodeTLS, "the other end speaks TLS and this one does not: use --tls or --tls-ca at a client, --tls-cert at a server")
	case n > 0:
		return nil // an error beside it comes again with the next read
	case err == nil:
		return io.ErrNoProgress
	case partial && errors.Is(err, os.ErrDeadlineExceeded):
		return errorf(CodeFrameTimeout, "a line was begun and not finished within %s; send whole lines", FrameTimeout)
	case partial && errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// isTLS tells a TLS record, of a handshake or an alert, by its first byte; no
// line of JSON begins so.
func isTLS(first byte) bool { return first == 0x15 || first == 0x16 }

// setDeadline sets the read deadline if it is another one than before. Those
// that begin anew with each read come in steps, up to an eighth late: so a busy one
// moves a timer once a step and not at every read, and of a crowd that falls
// silent many wake together, which costs far less than one after the other.
func (r *Reader) setDeadline(partial bool) {
	var at time.Time
	switch {
	case partial && r.patient:
		at = inSteps(FrameTimeout)
	case partial:
		if r.begun.IsZero() {
			r.begun = time.Now()
		}
		at = r.begun.Add(FrameTimeout)
	case r.idle > 0:
		at = inSteps(r.idle)
	}
	if at.Equal(r.expires) {
		return
	}
	r.expires = at
	r.nc.SetReadDeadline(at) //nolint:errcheck // fails on what has ended, as the read says better
}

// inSteps is when d from now is over, up to an eighth of it late.
func inSteps(d time.Duration) time.Time {
	step := max(min(time.Second, d/8), 1)
	return time.Now().Add(d + step).Truncate(step)
}

func (r *Reader) readOnce() (int, error) {
	if r.raw == nil {
		r.borrow()
		n, err := r.nc.Read(r.buf[r.end:])
		return n, err
	}
	r.n, r.err = 0, nil
	if err := r.raw.Read(r.read); err != nil {
		return 0, err
	}
	return r.n, r.err
}

// readReady reads what is there. While nothing is, the connection waits in the
// poller without a buffer.
func (r *Reader) readReady(fd uintptr) bool {
	r.borrow()
	r.n, r.err = rawconn.Read(fd, r.buf[r.end:])
	if r.err != rawconn.ErrWouldBlock {
		return true
	}
	if r.end == r.start {
		r.release()
	}
	return false
}

func (r *Reader) borrow() {
	if r.buf == nil {
		r.lent = buffers.Get().(*[firstBuffer]byte)
		r.buf = r.lent[:]
	}
}

// release lets go of the buffer, all of which was returned.
func (r *Reader) release() {
	r.giveBack()
	r.buf, r.start, r.end, r.scanned = nil, 0, 0, 0
}

func (r *Reader) giveBack() {
	if r.lent != nil {
		buffers.Put(r.lent)
		r.lent = nil
	}
}
