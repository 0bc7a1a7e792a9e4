package parking

import (
	"container/heap"
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// Owner is whose connection is parked.
type Owner interface {
	// Wake is called once for each time that the connection was parked, maybe
	// before Park has returned. due tells that the time is over and nothing
	// else happened. It must not block.
	Wake(due bool)
}

// Place is where one connection is parked, again and again: part of its owner,
// made once by NewPlace.
type Place struct {
	owner Owner
	conn  syscall.RawConn
	until time.Duration // since the Lot was made
	fd    int32         // while parked
	turn  int32         // 1 + index in the Lot's heap; 0: not parked
	known bool          // the poller has been given the descriptor before
}

// NewPlace makes the place of a connection that has a descriptor: conn must
// not be nil.
func NewPlace(owner Owner, conn syscall.RawConn) Place { return Place{owner: owner, conn: conn} }

// Lot is where connections are parked. It parks while Run runs.
type Lot struct {
	began time.Time
	first chan struct{} // closed when the first one comes

	mu      sync.Mutex
	running bool
	poller  *poller       // made for the first one
	err     error         // why there is none
	places  []*Place      // by descriptor
	queue   queue         // whose time is over first, first
	next    time.Duration // when the poller's wait ends; 0: never
}

// NewLot makes a Lot.
func NewLot() *Lot { return &Lot{began: time.Now(), first: make(chan struct{})} }

// Run wakes those who have something to read or whose time is over, until ctx
// ends; then it wakes all. It returns nil early where nothing can be parked.
//
// Nothing waits for the system before the first one is parked: tests in which
// time is not the system's have connections without descriptors.
func (l *Lot) Run(ctx context.Context) error {
	l.mu.Lock()
	l.running = true
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-l.first:
	}
	l.mu.Lock()
	p, err := l.poller, l.err
	l.running = p != nil
	l.mu.Unlock()
	switch {
	case p != nil:
		return l.look(ctx, p)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	}
	return err
}

// look is Run from the first one on.
func (l *Lot) look(ctx context.Context, p *poller) (err error) {
	stop := context.AfterFunc(ctx, p.close) // ends the wait below
	defer stop()
	for ctx.Err() == nil && err == nil {
		var ready []int32
		ready, err = p.wait()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		for _, fd := range ready {
			l.ready(fd)
		}
		l.wakeDue()
	}
	l.stop()
	p.close()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Park leaves the connection until there is something to read, it has ended,
// somebody calls Wake or until has come. If it returns true the owner was or
// will be called, and the caller must not touch the connection's reading end
// any more; false means that nothing has happened.
func (l *Lot) Park(p *Place, until time.Time) bool {
	entered, armed := false, false
	p.conn.Control(func(fd uintptr) { //nolint:errcheck // what was closed is not armed
		poller, known := l.enter(p, int32(fd), until)
		if entered = poller != nil; entered {
			armed = poller.arm(int32(fd), known) == nil
		}
	})
	if entered && !armed {
		return !l.leave(p) // unless the owner was called meanwhile
	}
	return entered
}

// Wake calls the owner if the place is parked: for those who know of an end
// that the descriptor cannot tell, because it was closed.
func (l *Lot) Wake(p *Place) {
	if l.leave(p) {
		p.owner.Wake(false)
	}
}

// enter takes the place in before its descriptor is armed: an event may come
// before that call returns.
func (l *Lot) enter(p *Place, fd int32, until time.Time) (_ *poller, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open() {
		return nil, false
	}
	for int(fd) >= len(l.places) {
		l.places = append(l.places, nil)
	}
	// Who stood there was closed and not woken yet; that will come.
	l.places[fd] = p
	known, p.known = p.known, true
	p.fd, p.until = fd, until.Sub(l.began)
	heap.Push(&l.queue, p)
	if p.turn == 1 {
		l.setDeadline()
	}
	return l.poller, known
}

// open makes the poller, once.
func (l *Lot) open() bool {
	if l.running && l.poller == nil && l.err == nil {
		l.poller, l.err = newPoller()
		close(l.first)
	}
	return l.running && l.poller != nil
}

// leave takes the place out, and reports whether it was parked: of several who
// have a reason to wake an owner, one does.
func (l *Lot) leave(p *Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaveLocked(p)
}

func (l *Lot) leaveLocked(p *Place) bool {
	if p == nil || p.turn == 0 {
		return false
	}
	heap.Remove(&l.queue, int(p.turn-1))
	if l.places[p.fd] == p {
		l.places[p.fd] = nil
	}
	return true
}

func (l *Lot) ready(fd int32) {
	l.mu.Lock()
	var p *Place
	if int(fd) < len(l.places) {
		p = l.places[fd]
	}
	parked := l.leaveLocked(p)
	l.mu.Unlock()
	if parked {
		p.owner.Wake(false)
	}
}

// wakeDue calls those whose time is over.
func (l *Lot) wakeDue() {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 || l.queue[0].until > time.Since(l.began) {
			l.setDeadline()
			l.mu.Unlock()
			return
		}
		p := l.queue[0]
		l.leaveLocked(p)
		l.mu.Unlock()
		p.owner.Wake(true)
	}
}

// setDeadline lets the poller's wait end when the first one's time is over.
func (l *Lot) setDeadline() {
	var next time.Duration
	var at time.Time
	if len(l.queue) > 0 {
		next = max(l.queue[0].until, 1)
		at = l.began.Add(next)
	}
	if next != l.next && l.running {
		l.next = next
		l.poller.setDeadline(at)
	}
}

// stop refuses whoever comes from now on and wakes those who are there.
func (l *Lot) stop() {
	l.mu.Lock()
	l.running = false
	all := l.queue
	l.queue, l.places = nil, nil
	for _, p := range all {
		p.turn = 0
	}
	l.mu.Unlock()
	for _, p := range all {
		p.owner.Wake(false)
	}
}

// queue is a heap of the places parked.
type queue []*Place

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].until < q[j].until }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].turn, q[j].turn = int32(i+1), int32(j+1)
}

func (q *queue) Push(x any) {
	p := x.(*Place)
	*q = append(*q, p)
	p.turn = int32(len(*q))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	p.turn = 0
	return p
}
