package fanout

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	directSoft = 256 << 10 // of unread replies, from which Wait blocks
	directHard = 8 << 20   // of unread replies, at which the connection ends
)

// ErrSlow means that the peer did not read what it asked for.
var ErrSlow = errors.New("the peer does not read")

// Outlet is the outgoing half of one connection. Whoever has something for it
// writes it there and then, as far as the peer takes it; a goroutine exists
// only while the peer does not.
//
// One at a time writes: who finds writing true sets dirty, and the writer looks
// again before it ends.
type Outlet struct {
	pool   *Pool
	nc     net.Conn
	raw    syscall.RawConn // nil: a goroutine writes, and may block
	sealer Sealer          // nil: bytes go out as they are
	closed func(error)

	mu        sync.Mutex // below a caller's locks, above a Ring's mu
	rest      []byte     // of an event that was begun: goes before all else
	direct    []byte     // replies
	attaching []attaching
	cursors   []*cursor
	turn      int // which cursor is first next time: a hot ring does not starve the others
	writing   bool
	dirty     bool // something came while writing
	closing   bool // write what is queued, then end
	ended     bool
	drained   chan struct{} // closed when few replies wait; nil if nobody waits
	idle      chan struct{} // closed when nobody writes any more; nil if nobody waits

	// Of the one that writes.
	page     page
	sealed   []byte // encrypted and not yet gone: before all else
	how      how
	progress uint64 // bytes that went inPoller
	err      error

	// The descriptor is written to without asking net for it, so it is this
	// outlet that sees to it that it is not closed meanwhile.
	fd  uintptr // of raw
	use atomic.Int32
}

// What an Outlet's descriptor is.
const (
	free   int32 = iota
	inUse        // being written to, atOnce
	closed       // or to be closed by whoever is using it
)

// attaching is a ring whose turn comes once the replies up to there are written.
type attaching struct {
	upTo int // in direct
	c    *cursor
}

// Queue puts a reply behind everything queued before, to go with the next
// Flush. It does no I/O and never blocks; the bytes are copied.
func (o *Outlet) Queue(event []byte) {
	o.mu.Lock()
	o.push(event)
	over := len(o.direct) > directHard
	o.mu.Unlock()
	if over {
		o.fail(ErrSlow)
	}
}

// Flush writes what waits, as far as the peer takes it. It never blocks; a
// goroutine does the rest.
func (o *Outlet) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.startLocked() {
		o.driveLocked()
	}
}

// Written is Flush, and waits until the peer has taken all that waits now, of its
// rings too. nil: it has, or the connection has ended.
func (o *Outlet) Written(ctx context.Context) error {
	o.mu.Lock()
	if o.startLocked() {
		o.driveLocked()
	}
	if !o.writing {
		o.mu.Unlock()
		return nil
	}
	// Whoever writes looks again before it ends, so it need end only once.
	if o.idle == nil {
		o.idle = make(chan struct{})
	}
	idle := o.idle
	o.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send is Queue and a Flush by a goroutine of the pool's: it does no I/O.
func (o *Outlet) Send(event []byte) {
	o.Queue(event)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.startLocked() {
		o.handOver()
	}
}

func (o *Outlet) push(event []byte) {
	if o.ended || o.closing {
		return
	}
	o.direct = append(o.direct, event...)
	o.dirty = true
}

// Full reports whether Wait would block.
func (o *Outlet) Full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.direct)+len(o.rest) > directSoft && !o.ended
}

// Wait blocks while more than 256 KiB of replies are unwritten.
func (o *Outlet) Wait(ctx context.Context) error {
	for {
		o.mu.Lock()
		if len(o.direct)+len(o.rest) <= directSoft || o.ended {
			o.mu.Unlock()
			return ctx.Err()
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		if o.startLocked() {
			o.handOver()
		}
		o.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release lets those go on who wait for replies to be written.
func (o *Outlet) release() {
	if o.drained != nil && (len(o.direct)+len(o.rest) <= directSoft || o.ended) {
		close(o.drained)
		o.drained = nil
	}
}

// Attach adds the ring: first reply goes out, then every record behind after
// follows in order, from the ring or from its Source. The reply is queued as by
// Queue.
func (o *Outlet) Attach(r *Ring, after uint64, reply []byte) {
	o.Detach(r, nil)
	c := r.enter(o, after)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.closing {
		r.leave(c)
		return
	}
	o.push(reply)
	o.attaching = append(o.attaching, attaching{len(o.direct), c})
}

// Detach takes the ring off: nothing of it is written from now on. reply may
// be nil; it is queued as by Queue.
func (o *Outlet) Detach(r *Ring, reply []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(reply)
	for i, c := range o.cursors {
		if c.ring == r {
			c.attached = false
			o.cursors = slices.Delete(o.cursors, i, i+1)
			r.leave(c)
			return
		}
	}
	for i, a := range o.attaching {
		if a.c.ring == r {
			o.attaching = slices.Delete(o.attaching, i, i+1)
			r.leave(a.c)
			return
		}
	}
}

// Close writes what is queued and goodbye (may be nil) if the peer still
// reads, within grace, then closes the connection.
func (o *Outlet) Close(goodbye []byte, grace time.Duration) {
	o.mu.Lock()
	o.leaveAll()
	o.push(goodbye)
	o.closing = true
	if o.startLocked() {
		o.handOver()
	}
	o.mu.Unlock()
	// A write under way gets the grace, not its minute.
	if err := o.nc.SetWriteDeadline(time.Now().Add(grace)); err != nil {
		o.fail(err)
	}
}

// farewell says the Pool's goodbye to a peer that takes it at once: those behind
// are not waited for.
func (o *Outlet) farewell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(o.pool.goodbye)
	if o.startLocked() {
		o.driveLocked()
	}
}

// leaveAll takes all rings off.
func (o *Outlet) leaveAll() {
	for _, a := range o.attaching {
		o.cursors = append(o.cursors, a.c)
	}
	for _, c := range o.cursors {
		c.attached = false
		c.ring.leave(c)
	}
	o.cursors, o.attaching = nil, nil
}

// fail ends the outlet at once.
func (o *Outlet) fail(err error) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	o.ended = true
	o.leaveAll()
	o.direct, o.rest = nil, nil
	o.release()
	o.mu.Unlock()
	o.pool.forget(o)
	if o.use.Swap(closed) != inUse {
		o.nc.Close() //nolint:errcheck // it is over either way
	}
	o.closed(err)
}

// lineEnd is the index behind the line end at or behind from.
func lineEnd(b []byte, from int) int {
	if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(b)
}
