package fanout

import "positivity-exchange/comms/rawconn"

// lookAgain is after how many members a walker sees whether there is more.
const lookAgain = 8

// view is what a walk knows of its ring, so that it needs no lock for a member.
type view struct {
	tail  piece  // of the newest chunk, whole
	start uint64 // place of tail.data[0]
	end   uint64
}

// Wake has what was appended written to all members, each as far as it takes it
// now: to a few by the caller, to a crowd by a thread of the pool's. It never
// blocks. Called once per commit, without locks. While somebody walks already,
// that one walks once more.
func (r *Ring) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.walking {
		r.again = true
		return
	}
	for r.begin(); r.walking; {
		if len(r.ahead) >= crowd && r.pool.crowds.add(r) {
			return
		}
		r.walkOn(len(r.ahead))
	}
}

// begin begins a walk of all members. mu is held.
func (r *Ring) begin() {
	r.walking, r.again, r.shared = true, false, true
	r.ahead = r.members
}

// walkOn visits the next n members. Whoever visits the last one of a walk begins
// the next if there is more, which is reported, or ends the walking. mu is held at
// the call and the return, not while writing.
func (r *Ring) walkOn(n int) (anew bool) {
	members, v := r.ahead[:n], r.view()
	r.ahead = r.ahead[n:]
	r.walkers++
	r.mu.Unlock()
	r.walk(members, v)
	r.mu.Lock()
	r.walkers--
	switch {
	case r.walkers > 0 || len(r.ahead) > 0:
		return false
	case r.again:
		r.begin()
		return true
	}
	r.walking, r.shared, r.ahead = false, false, nil
	return false
}

func (r *Ring) view() view {
	last := r.last()
	if last == nil {
		return view{start: r.end, end: r.end}
	}
	start := max(last.base, r.start)
	return view{tail: r.cut(start, r.end), start: start, end: r.end}
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
