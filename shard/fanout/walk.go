package fanout

import (
	"runtime"
	"sync"

	"positivity-exchange/comms/rawconn"
)

// walkShare is how many members a walker has before another one helps: below,
// waking it costs more than it saves.
const walkShare = 1024

// lookAgain is after how many members a walker sees whether there is more.
const lookAgain = 8

// view is what a walk knows of its ring, so that it needs no lock for a member.
type view struct {
	tail  piece  // of the newest chunk, whole
	start uint64 // place of tail.data[0]
	end   uint64
}

// Wake writes what was appended to all members, each as far as it takes it
// now. It never blocks. Called once per commit, without locks. While another
// caller walks, that one walks once more.
func (r *Ring) Wake() {
	r.mu.Lock()
	if r.walking {
		r.again = true
		r.mu.Unlock()
		return
	}
	r.walking = true
	for {
		r.again = false
		r.shared = true
		members, v := r.members, r.view()
		r.mu.Unlock()
		if len(members) <= walkShare {
			r.walk(members, v)
		} else {
			r.walkTogether(members, v)
		}
		r.mu.Lock()
		if !r.again {
			break
		}
	}
	r.walking, r.shared = false, false
	r.mu.Unlock()
}

func (r *Ring) view() view {
	last := r.last()
	if last == nil {
		return view{start: r.end, end: r.end}
	}
	start := max(last.base, r.start)
	return view{tail: r.cut(start, r.end), start: start, end: r.end}
}

func (r *Ring) walkTogether(members []*cursor, v view) {
	n := min(runtime.GOMAXPROCS(0), (len(members)+walkShare-1)/walkShare)
	var wg sync.WaitGroup
	for i := range n {
		part := members[len(members)*i/n : len(members)*(i+1)/n]
		if i < n-1 {
			wg.Go(func() { r.walk(part, v) })
		} else {
			r.walk(part, v)
		}
	}
	wg.Wait()
}

// walk visits the members one by one. What is appended meanwhile goes to those
// that are still to come, too, in the same write.
func (r *Ring) walk(members []*cursor, v view) {
	for i, c := range members {
		if i%lookAgain == lookAgain-1 {
			r.mu.Lock()
			if r.end != v.end {
				v = r.view()
			}
			r.mu.Unlock()
		}
		v.visit(c)
	}
}

// visit writes one member the tail that it has not read.
func (v *view) visit(c *cursor) {
	o := c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if !c.attached || c.place >= v.end && !c.seek {
		return // its reply is to be written first, or it has all
	}
	if !o.startLocked() {
		return
	}
	usual := o.raw != nil && len(o.rest) == 0 && len(o.sealed) == 0 && len(o.direct) == 0 && o.page.c == nil && !c.seek && !c.missed &&
		c.place >= v.start && c.place >= c.replay
	if !usual {
		o.driveLocked()
		return
	}
	p := v.tail
	p.data, p.place = p.data[c.place-v.start:], c.place
	o.dirty, o.how = false, atOnce
	o.mu.Unlock()
	n, err := o.write(p.data)
	o.mu.Lock()
	o.rest = c.wrote(p, n)
	switch {
	case err == rawconn.ErrWouldBlock:
		o.handOver()
	case err != nil:
		o.end(err)
	case o.dirty:
		o.driveLocked()
	default:
		o.finish()
	}
}
