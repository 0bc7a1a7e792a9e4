package comms

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// firstBuffer is what a frame's reading starts with; most commands fit.
const firstBuffer = 2 << 10

// Reader reads frames of one connection.
type Reader struct {
	nc      net.Conn
	max     int
	idle    time.Duration
	buf     []byte
	start   int // of what was read and not yet returned
	end     int
	scanned int       // up to here no line end was found
	begun   time.Time // when the unfinished frame's first byte came
}

// NewReader reads frames of at most max bytes, line end included, from nc. It
// sets nc's read deadline: idle while no frame has begun (0: none), FrameTimeout
// from a frame's first byte on, however slowly the rest drips in.
func NewReader(nc net.Conn, max int, idle time.Duration) *Reader {
	return &Reader{nc: nc, max: max, idle: idle}
}

// SetIdle changes the idle deadline from the next frame on.
func (r *Reader) SetIdle(d time.Duration) { r.idle = d }

// Next returns the next frame without its line end, valid until the next call.
// Errors: io.EOF between frames, io.ErrUnexpectedEOF within one,
// os.ErrDeadlineExceeded when idle, a *Error with CodeFrameTooLong or
// CodeFrameTimeout, or the network's.
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
	switch {
	case r.start == r.end:
		r.start, r.end, r.scanned = 0, 0, 0
		if len(r.buf) != firstBuffer {
			r.buf = make([]byte, firstBuffer) // let go of what a long frame needed
		}
	case r.end == len(r.buf) && r.start > 0:
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start, r.scanned = 0, r.end
	case r.end == len(r.buf):
		r.buf = append(r.buf, make([]byte, min(len(r.buf), r.max-len(r.buf)))...)
	}
	partial := r.end > r.start
	deadline := time.Time{}
	if partial {
		if r.begun.IsZero() {
			r.begun = time.Now()
		}
		deadline = r.begun.Add(FrameTimeout)
	} else if r.idle > 0 {
		deadline = time.Now().Add(r.idle)
	}
	r.nc.SetReadDeadline(deadline) //nolint:errcheck // fails on what has ended, as the read below says better
	n, err := r.nc.Read(r.buf[r.end:])
	r.end += n
	switch {
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
