package fanout

import (
	"errors"
	"net"
	"os"
	"time"

	"positivity-exchange/comms/rawconn"
)

// sealSize is what is sealed at once: a TLS record's content at most.
const sealSize = 16 << 10

// Sealer is a connection that encrypts: it can be written to without waiting
// if what it makes of the bytes is written by the outlet.
type Sealer interface {
	// Beneath is the connection that carries what Seal returns.
	Beneath() net.Conn
	// Seal returns b as it is to go out, behind whatever else of the
	// connection's is to go first; valid until the next call.
	Seal(b []byte) ([]byte, error)
}

// outcome of writing as far as the peer takes it.
type outcome int

const (
	done    outcome = iota // nothing is left
	blocked                // the peer takes no more now
	behind                 // the Source must be read
	failed                 // o.err says why
)

// startLocked makes the caller the one that writes, if nobody is. Otherwise
// the one that is looks again before it ends.
func (o *Outlet) startLocked() bool {
	if o.ended {
		return false
	}
	if o.writing {
		o.dirty = true
		return false
	}
	o.writing = true
	return true
}

// driveLocked writes as far as the peer takes it and hands the rest over. The
// caller is the one that writes; mu is let go of meanwhile.
func (o *Outlet) driveLocked() {
	if o.raw != nil {
		o.how = atOnce
		if o.pump() == done {
			o.finish()
			return
		}
	}
	o.handOver()
}

// stop makes the caller the one that writes no more.
func (o *Outlet) stop() {
	o.writing = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// finish ends the caller's writing: all is written.
func (o *Outlet) finish() {
	o.stop()
	if o.closing && !o.ended {
		o.mu.Unlock()
		o.fail(nil)
		o.mu.Lock()
	}
}

// handOver leaves the writing to a goroutine, which may wait.
func (o *Outlet) handOver() {
	if !o.pool.run(o.writeSlowly) {
		o.stop()
	}
}

// pump writes piece after piece. mu is held at the call and the return, not
// while writing.
func (o *Outlet) pump() outcome {
	for !o.ended {
		var err error
		o.dirty = false
		switch {
		case len(o.sealed) > 0:
			o.mu.Unlock()
			err = o.flushSealed()
			o.mu.Lock()
		case len(o.rest) > 0:
			b := o.rest
			n := 0
			o.mu.Unlock()
			n, err = o.write(b)
			o.mu.Lock()
			o.rest = b[n:]
		case len(o.direct)+len(o.attaching) > 0:
			err = o.pumpDirect()
		case o.page.c != nil:
			err = o.pumpPage()
		default:
			c, p, isBehind := o.pick()
			if isBehind {
				return behind
			}
			if c == nil {
				return done
			}
			o.mu.Unlock()
			var n int
			n, err = o.write(p.data)
			o.mu.Lock()
			o.rest = c.wrote(p, n)
		}
		o.release()
		if err == rawconn.ErrWouldBlock {
			return blocked
		}
		if err != nil {
			o.err = err
			return failed
		}
	}
	return done
}

// pumpDirect writes replies; rings whose reply went out have their turn.
func (o *Outlet) pumpDirect() (err error) {
	b, n := o.direct, 0
	if len(b) > 0 {
		o.mu.Unlock()
		n, err = o.write(b)
		o.mu.Lock()
	}
	if o.ended {
		return err
	}
	o.direct = o.direct[n:]
	if len(o.direct) == 0 {
		o.direct = nil
	}
	taken := 0
	for i := range o.attaching {
		a := &o.attaching[i]
		if a.upTo -= n; a.upTo <= 0 {
			a.c.attached = true
			o.cursors = append(o.cursors, a.c)
			taken++
		}
	}
	if o.attaching = o.attaching[taken:]; len(o.attaching) == 0 {
		o.attaching = nil
	}
	return err
}

// pick finds a cursor that has something to write, nil if none has. isBehind
// means that one must be served from its Source first.
func (o *Outlet) pick() (c *cursor, p piece, isBehind bool) {
	for i := range o.cursors {
		c := o.cursors[(o.turn+i)%len(o.cursors)]
		p, isBehind := c.ring.next(c)
		if isBehind || c.missed {
			return c, piece{}, true
		}
		if len(p.data) > 0 {
			o.turn += i + 1
			return c, p, false
		}
	}
	return nil, piece{}, false
}

// write writes what the peer takes of b, sealed if need be: what was sealed
// counts as written, and what of that did not go waits in sealed.
func (o *Outlet) write(b []byte) (n int, err error) {
	if o.sealer == nil {
		return o.put(b)
	}
	if err := o.flushSealed(); err != nil {
		return 0, err
	}
	for n < len(b) && err == nil {
		end := min(n+sealSize, len(b))
		var out []byte
		if out, err = o.sealer.Seal(b[n:end]); err != nil {
			return n, err
		}
		n = end
		var went int
		went, err = o.put(out)
		o.sealed = append(o.sealed[:0], out[went:]...)
	}
	return n, err
}

func (o *Outlet) flushSealed() error {
	if len(o.sealed) == 0 {
		return nil
	}
	n, err := o.put(o.sealed)
	if o.sealed = o.sealed[n:]; len(o.sealed) == 0 {
		o.sealed = nil
	}
	return err
}

// How put writes.
type how int

const (
	atOnce   how = iota // what the peer takes at once
	inPoller            // likewise, called by the poller, which has the descriptor
	blocking            // all of it
)

// put writes b as it is. An incomplete write is ErrWouldBlock.
func (o *Outlet) put(b []byte) (n int, err error) {
	switch o.how {
	case blocking:
		return o.putBlocking(b)
	case inPoller:
		n, err = rawconn.Write(o.fd, b)
		o.progress += uint64(n)
	default:
		// Holding the descriptor through net would cost a tenth of the write.
		if !o.use.CompareAndSwap(free, inUse) {
			return 0, net.ErrClosed
		}
		n, err = rawconn.Write(o.fd, b)
		if !o.use.CompareAndSwap(inUse, free) {
			o.nc.Close() //nolint:errcheck // fail left it to this write's end
			return n, net.ErrClosed
		}
	}
	if err == nil && n < len(b) {
		err = rawconn.ErrWouldBlock
	}
	return n, err
}

// writeSlowly is the goroutine of an outlet whose peer takes no more, or that
// needs the Source. It ends once all is written.
func (o *Outlet) writeSlowly() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		var result outcome
		if o.raw != nil {
			result = o.pumpWaiting()
		} else {
			o.how = blocking
			result = o.pump()
		}
		switch result {
		case done:
			if o.dirty && !o.ended {
				continue // it came after the poller's call, before mu was ours again
			}
			if o.raw != nil && !o.closing && !o.ended {
				o.nc.SetWriteDeadline(time.Time{}) //nolint:errcheck // fails on what has ended
			}
			o.finish()
			return
		case behind:
			if err := o.catchUp(); err != nil {
				o.end(err)
				return
			}
		case failed:
			o.end(o.err)
			return
		}
	}
}

// pumpWaiting waits until the peer takes something, and pumps. The attempt and
// the waiting are one call of the poller's: between two its signal could be lost.
func (o *Outlet) pumpWaiting() (result outcome) {
	if !o.closing {
		o.nc.SetWriteDeadline(time.Now().Add(o.pool.writeTimeout)) //nolint:errcheck // fails on what has ended, as the write says better
	}
	o.mu.Unlock()
	err := o.raw.Write(func(uintptr) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.how = inPoller
		before := o.progress
		result = o.pump()
		return result != blocked || o.progress != before
	})
	o.mu.Lock()
	if err != nil {
		o.err = err
		return failed
	}
	return result
}

// putBlocking writes all of b; only progress counts, not the time for all of it.
func (o *Outlet) putBlocking(b []byte) (n int, err error) {
	for n < len(b) {
		o.mu.Lock()
		closing := o.closing
		o.mu.Unlock()
		if !closing {
			if err := o.nc.SetWriteDeadline(time.Now().Add(o.pool.writeTimeout)); err != nil {
				return n, err
			}
		}
		wrote, err := o.nc.Write(b[n:])
		n += wrote
		if err != nil && (wrote == 0 || closing || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return n, err
		}
	}
	return n, nil
}

func (o *Outlet) end(err error) {
	o.stop()
	if o.closing {
		err = nil
	}
	o.mu.Unlock()
	o.fail(err)
	o.mu.Lock()
}
