package fanout

import (
	"context"
	"net"
	"sync"
	"time"

	"positivity-exchange/comms/rawconn"
)

// endWidth is how many outlets end at a time when their Pool does.
const endWidth = 100

// Pool owns the outlets of one shard's connections, and the goroutines that
// write for those who are slow.
type Pool struct {
	writeTimeout time.Duration // of a write without progress

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	crowds crowds

	mu      sync.Mutex // below all others
	outlets map[*Outlet]struct{}
	stopped bool
}

// NewPool makes a Pool. A connection whose writes make no progress for
// writeTimeout is ended.
func NewPool(writeTimeout time.Duration) *Pool {
	p := &Pool{writeTimeout: writeTimeout, outlets: map[*Outlet]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.crowds.pool, p.crowds.more.L = p, &p.crowds.mu
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
	p.crowds.end()
	p.failAll(outlets, ctx.Err())
	p.wg.Wait()
	return ctx.Err()
}

// failAll ends many outlets, some at a time: under TLS each may take a moment, in
// which it says so to a peer that does not read.
func (p *Pool) failAll(outlets map[*Outlet]struct{}, err error) {
	var ending sync.WaitGroup
	defer ending.Wait()
	width := make(chan struct{}, endWidth)
	for o := range outlets {
		width <- struct{}{}
		ending.Go(func() {
			defer func() { <-width }()
			o.fail(err)
		})
	}
}

// NewOutlet makes the outgoing half of nc. closed is called once, after nc was
// closed, from whichever goroutine did that: with nil behind a Close, with why
// otherwise.
func (p *Pool) NewOutlet(nc net.Conn, closed func(error)) *Outlet {
	o := &Outlet{pool: p, nc: nc, raw: rawconn.Of(nc), closed: closed}
	if sealer, ok := nc.(Sealer); ok {
		if o.raw = rawconn.Of(sealer.Beneath()); o.raw != nil {
			o.sealer = sealer
		}
	}
	if o.raw != nil {
		if err := o.raw.Control(func(fd uintptr) { o.fd = fd }); err != nil {
			o.raw, o.sealer = nil, nil // closed already: as a write will say
		}
	}
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

// forget takes an ended outlet off the list.
func (p *Pool) forget(o *Outlet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.outlets, o)
}

// run starts f unless the pool has stopped.
func (p *Pool) run(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.wg.Go(f)
	return true
}
