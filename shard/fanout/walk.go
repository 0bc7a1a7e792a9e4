package fanout

import "positivity-exchange/comms/rawconn"

// few is how many members a walker visits before it sees whether there is more,
// and whether another one has visited the next.
const few = 8

// rounds is how many walks its caller does of a ring that has more each time,
// before a thread goes on: the caller has a session of its own.
const rounds = 4

// view is what a walk knows of its ring, so that it needs no lock for a member.
type view struct {
	tail  piece  // of the newest chunk, whole
	start uint64 // place of tail.data[0]
	end   uint64
}

// Wake has what was appended written to all members, each as far as it takes it
// now: to a few by the caller, to a crowd by a thread of the pool's, which also
// goes on where there is ever more. Called once per commit, without locks. While
// somebody walks already, that one walks once more. It waits for no peer, but for
// the walk if that is far behind.
func (r *Ring) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.walking {
		r.again = true
		r.help()
		return
	}
	r.begin()
	for done := 0; len(r.ahead) > 0; done++ {
		if (len(r.ahead) >= crowd || done >= rounds) && r.pool.crowds.add(r) {
			return
		}
		r.walkOn(len(r.ahead))
	}
}

// help ends a walk with those who walk already if the ring would soon drop what
// those ahead have not got: each would then read it from the log. So who floods a
// crowd is no faster than it is written to. mu is held.
func (r *Ring) help() {
	if r.end-r.from < ringBytes/4 && r.head-r.since < ringEntries/4 {
		return
	}
	r.walkOn(len(r.ahead))
	for from := r.from; r.walkers > 0 && r.from == from; {
		r.walked.Wait()
	}
	if len(r.ahead) > 0 {
		r.pool.crowds.add(r)
	}
}

// begin begins a walk of all members. mu is held.
func (r *Ring) begin() {
	r.walking = len(r.members) > 0
	r.again, r.visited, r.shared = false, false, r.walking
	r.ahead, r.from, r.since = r.members, r.end, r.head
}

// walkOn visits up to `most` of the members that are ahead. They get what is
// appended meanwhile, too, in the same write. Several may walk at a time. Once all
// members are visited, the last to return either ends the walking or, where there
// is more to write, puts all members ahead again: somebody must visit them then,
// which is the caller's to see to. mu is held at the call and the return, not
// while writing.
func (r *Ring) walkOn(most int) {
	if r.again && !r.visited {
		r.begin() // it waited for a thread: one walk does for what came meanwhile
	}
	v := r.view()
	r.walkers++
	r.visited = true
	for most > 0 && len(r.ahead) > 0 {
		next := r.ahead[:min(few, most, len(r.ahead))]
		r.ahead = r.ahead[len(next):]
		most -= len(next)
		if r.end != v.end {
			v = r.view()
		}
		r.mu.Unlock()
		for _, c := range next {
			v.visit(c)
		}
		r.mu.Lock()
	}
	r.walkers--
	switch {
	case r.walkers > 0 || len(r.ahead) > 0:
	case r.again:
		r.begin()
		r.walked.Broadcast()
	default:
		r.walking, r.shared, r.ahead = false, false, nil
		r.walked.Broadcast()
	}
}

func (r *Ring) view() view {
	last := r.last()
	if last == nil {
		return view{start: r.end, end: r.end}
	}
	start := max(last.base, r.start)
	return view{tail: r.cut(start, r.end), start: start, end: r.end}
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
