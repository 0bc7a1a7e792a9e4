package fanout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	writeSize   = 64 << 10  // about as much as one write carries
	catchUpSize = 256 << 10 // a page read from the log for a session that is behind
	directSoft  = 256 << 10 // of unread replies, from which Wait blocks
	directHard  = 8 << 20   // of unread replies, at which the connection ends
	sourceTries = 5
)

// ErrSlow means that the peer did not read what it asked for.
var ErrSlow = errors.New("the peer does not read")

// PoolOptions configures a Pool.
type PoolOptions struct {
	WriteTimeout time.Duration // a write without progress; 0 means 60 s
	Logger       *slog.Logger
}

// Pool owns the writers of one shard's connections.
type Pool struct {
	opts   PoolOptions
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	bufs   sync.Pool

	mu      sync.Mutex
	outlets map[*Outlet]struct{}
	stopped bool
}

// NewPool makes a Pool.
func NewPool(opts PoolOptions) *Pool {
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = time.Minute
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Pool{opts: opts, outlets: map[*Outlet]struct{}{}}
	p.bufs.New = func() any { b := make([]byte, 0, writeSize+writeSize/4); return &b }
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Run waits until ctx ends, then ends every outlet and returns after the last writer.
func (p *Pool) Run(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	p.stopped = true
	outlets := p.outlets
	p.outlets = map[*Outlet]struct{}{}
	p.mu.Unlock()
	p.cancel()
	for o := range outlets {
		o.fail(ctx.Err())
	}
	p.wg.Wait()
	return ctx.Err()
}

// Outlet is the outgoing half of one connection. While it has something to
// write it has a goroutine and a buffer, otherwise neither.
type Outlet struct {
	pool   *Pool
	nc     net.Conn
	closed func(error)

	mu      sync.Mutex
	queue   []item
	queued  int // bytes in queue
	cursors []*cursor
	turn    int // which cursor is first next time: a hot ring does not starve the others
	writing bool
	dirty   bool // woken while writing
	closing bool // write what is queued, then end
	ended   bool
	drained chan struct{} // closed when queued falls below directSoft; nil if nobody waits
}

// item is a direct event, or a ring that is attached once what stands before it is written.
type item struct {
	data   []byte
	attach *cursor
}

// NewOutlet makes the outgoing half of nc. closed is called once, from a
// goroutine of the pool's, when a write failed.
func (p *Pool) NewOutlet(nc net.Conn, closed func(error)) *Outlet {
	o := &Outlet{pool: p, nc: nc, closed: closed}
	p.mu.Lock()
	stopped := p.stopped
	if !stopped {
		p.outlets[o] = struct{}{}
	}
	p.mu.Unlock()
	if stopped {
		o.fail(context.Canceled)
	}
	return o
}

// Send queues a direct event (a reply, a notice to this session alone) behind
// everything queued before. It never blocks; the bytes are copied.
func (o *Outlet) Send(event []byte) {
	o.mu.Lock()
	o.push(item{data: append([]byte(nil), event...)})
	over := o.queued > directHard
	o.mu.Unlock()
	if over {
		o.fail(ErrSlow)
	}
}

func (o *Outlet) push(i item) {
	if o.ended || o.closing {
		return
	}
	o.queue = append(o.queue, i)
	o.queued += len(i.data)
	o.startLocked()
}

// Wait blocks while more than 256 KiB of direct events are unwritten.
func (o *Outlet) Wait(ctx context.Context) error {
	for {
		o.mu.Lock()
		if o.queued <= directSoft || o.ended {
			o.mu.Unlock()
			return ctx.Err()
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		o.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Attach adds the ring: first reply goes out, then every record behind after
// follows in order, from the ring or from its Source.
func (o *Outlet) Attach(r *Ring, after uint64, reply []byte) {
	o.Detach(r, nil)
	c := r.enter(o, after)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(item{data: append([]byte(nil), reply...), attach: c})
}

// Detach takes the ring off: nothing of it is written from now on. reply may be nil.
func (o *Outlet) Detach(r *Ring, reply []byte) {
	r.leave(o)
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, c := range o.cursors {
		if c.ring == r {
			o.cursors = append(o.cursors[:i:i], o.cursors[i+1:]...)
			break
		}
	}
	for i := range o.queue {
		if c := o.queue[i].attach; c != nil && c.ring == r {
			o.queue[i].attach = nil
		}
	}
	if reply != nil {
		o.push(item{data: append([]byte(nil), reply...)})
	}
}

func (o *Outlet) has(c *cursor) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, have := range o.cursors {
		if have == c {
			return true
		}
	}
	return false
}

func (o *Outlet) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.cursors) > 0 {
		o.startLocked()
	}
}

func (o *Outlet) startLocked() {
	o.dirty = true
	if o.writing || o.ended {
		return
	}
	o.pool.mu.Lock()
	defer o.pool.mu.Unlock()
	if o.pool.stopped {
		return
	}
	o.writing = true
	o.pool.wg.Go(o.write)
}

// Close writes what is queued and goodbye (may be nil) if the peer still
// reads, within grace, then closes the connection.
func (o *Outlet) Close(goodbye []byte, grace time.Duration) {
	o.mu.Lock()
	cursors := o.cursors
	o.cursors = nil
	for i := range o.queue {
		if c := o.queue[i].attach; c != nil {
			cursors = append(cursors, c)
			o.queue[i].attach = nil
		}
	}
	o.push(item{data: goodbye})
	o.closing = true
	o.startLocked()
	o.mu.Unlock()
	for _, c := range cursors {
		c.ring.leave(o)
	}
	// A write under way gets the grace, not its minute.
	if err := o.nc.SetWriteDeadline(time.Now().Add(grace)); err != nil {
		o.fail(err)
	}
}

// fail ends the outlet at once.
func (o *Outlet) fail(err error) {
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return
	}
	o.ended = true
	cursors := o.cursors
	for _, i := range o.queue {
		if i.attach != nil {
			cursors = append(cursors, i.attach)
		}
	}
	o.queue, o.cursors, o.queued = nil, nil, 0
	o.release()
	o.mu.Unlock()
	for _, c := range cursors {
		c.ring.leave(o)
	}
	o.pool.mu.Lock()
	delete(o.pool.outlets, o)
	o.pool.mu.Unlock()
	o.nc.Close() //nolint:errcheck // it is over either way
	o.closed(err)
}

func (o *Outlet) release() {
	if o.drained != nil && o.queued <= directSoft {
		close(o.drained)
		o.drained = nil
	}
}

// write is the outlet's writer: it ends when nothing is left to write.
func (o *Outlet) write() {
	bp := o.pool.bufs.Get().(*[]byte)
	defer func() {
		if cap(*bp) <= 4*writeSize {
			o.pool.bufs.Put(bp)
		}
	}()
	for {
		buf, behind, done := o.collect((*bp)[:0])
		*bp = buf
		if len(buf) > 0 {
			if err := o.flush(buf); err != nil {
				o.end(err)
				return
			}
		}
		if behind != nil {
			if err := o.catchUp(behind); err != nil {
				o.end(err)
				return
			}
		}
		if done {
			return
		}
	}
}

func (o *Outlet) end(err error) {
	o.mu.Lock()
	o.writing = false
	closing := o.closing
	o.mu.Unlock()
	if closing {
		err = nil
	}
	o.fail(err)
}

// collect gathers direct events first, then what the rings have.
func (o *Outlet) collect(buf []byte) (out []byte, behind *cursor, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dirty = false
	for len(o.queue) > 0 && len(buf) < writeSize {
		i := o.queue[0]
		o.queue[0] = item{}
		o.queue = o.queue[1:]
		o.queued -= len(i.data)
		buf = append(buf, i.data...)
		if i.attach != nil {
			o.cursors = append(o.cursors, i.attach)
		}
	}
	if len(o.queue) == 0 {
		o.queue = nil
	}
	o.release()
	more := len(o.queue) > 0
	for i := 0; i < len(o.cursors) && !more && behind == nil; i++ {
		c := o.cursors[(o.turn+i)%len(o.cursors)]
		var isBehind, rest bool
		buf, isBehind, rest = c.gather(buf, writeSize)
		if isBehind {
			behind = c
		} else if c.missed {
			c.missed = false
			buf = append(buf, c.ring.src.Snapshot()...)
		}
		more = more || rest
	}
	o.turn++
	if len(buf) > 0 || more || behind != nil || o.dirty {
		return buf, behind, false
	}
	o.writing = false
	if o.closing {
		o.pool.wg.Go(func() { o.fail(nil) })
	}
	return buf, nil, true
}

// flush writes buf; only progress counts, not the time for all of it.
func (o *Outlet) flush(buf []byte) error {
	for len(buf) > 0 {
		o.mu.Lock()
		closing := o.closing
		o.mu.Unlock()
		if !closing {
			if err := o.nc.SetWriteDeadline(time.Now().Add(o.pool.opts.WriteTimeout)); err != nil {
				return err
			}
		}
		n, err := o.nc.Write(buf)
		buf = buf[n:]
		if err != nil && (n == 0 || closing) {
			return err
		}
	}
	return nil
}

// catchUp writes what the ring dropped, from its Source, until the ring has the rest.
func (o *Outlet) catchUp(c *cursor) error {
	pause := 50 * time.Millisecond
	for tries := 0; ; {
		events, last, err := c.ring.src.Records(o.pool.ctx, c.last, catchUpSize)
		if err == nil && last <= c.last {
			err = fmt.Errorf("no record behind %d", c.last)
		}
		if !o.has(c) {
			return nil // detached meanwhile: nothing more of it
		}
		if err != nil {
			if tries++; tries == sourceTries {
				return fmt.Errorf("catch up from the log: %w", err)
			}
			select {
			case <-time.After(pause):
			case <-o.pool.ctx.Done():
				return o.pool.ctx.Err()
			}
			pause *= 2
			continue
		}
		if err := o.flush(events); err != nil {
			return err
		}
		c.last, c.missed = last, true
		return nil // direct events have their turn before the next page
	}
}
