package fanout

import (
	"context"
	"sort"
	"sync"
)

// A ring keeps this much; what is older is read from its Source.
const (
	ringBytes   = 1 << 20
	ringEntries = 4096
	minChunk    = 2 << 10 // the first of a ring; each is twice the one before, up to
	maxChunk    = 64 << 10
)

// Source gives a ring what it does not keep any more. Calls may block on disk.
type Source interface {
	// Records returns encoded events of the records behind after, up to upTo, in
	// order, at least one and about maxBytes, and the last sequence among them.
	// What is stored behind that the ring is to publish yet.
	Records(ctx context.Context, after, upTo uint64, maxBytes int) (events []byte, last uint64, err error)
	// Snapshot returns encoded events that stand for all notices so far (the
	// list of participants). Sent to a session that missed notices while behind.
	Snapshot() []byte
	// GiveUp is told that Records answers nothing but err for an outlet: it is to be
	// detached from the ring, and told so.
	GiveUp(o *Outlet, err error)
}

// Ring is a room's recent encoded events, each encoded once for all sessions
// and written to all of them from where it stands.
//
// Places in it are counted in bytes since it was made. What stands below end is
// never changed again, so it is read without the lock.
type Ring struct {
	pool *Pool
	src  Source

	mu      sync.Mutex // below an Outlet's mu
	chunks  []*chunk   // oldest first; the last one is being filled
	start   uint64     // place of the oldest byte kept
	end     uint64     // place behind the newest
	marks   []mark     // of the events kept, oldest first
	dropped uint64     // sequence of the newest record dropped: the ring has all behind it
	head    uint64     // sequence of the newest record
	members []*cursor
	shared  bool      // a walker reads members: copy it before a change
	walking bool      // a walk goes on, or waits for a thread
	ahead   []*cursor // members that it has yet to visit
	from    uint64    // place of the end when the walk began
	since   uint64    // head then
	walkers int       // who visits some now
	walked  sync.Cond // a walk has ended
	queued  bool      // it waits for a thread
	visited bool      // the walk has visited somebody
	again   bool      // something came while walking
	rested  uint64    // place of the end at the last Rest
}

// chunk is a piece of a ring. No event lies across two.
type chunk struct {
	base uint64 // place of buf[0]
	buf  []byte // used up to the next chunk's base, or the ring's end
}

// mark tells where an event begins; seq 0 is a notice.
type mark struct{ seq, place uint64 }

// NewRing makes a ring whose newest record is head.
func (p *Pool) NewRing(head uint64, src Source) *Ring {
	r := &Ring{pool: p, src: src, head: head, dropped: head}
	r.walked.L = &r.mu
	return r
}

// Append publishes the encoded event of record seq (always head+1). The bytes are copied.
func (r *Ring) Append(seq uint64, event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = seq
	r.add(seq, event)
}

// Notice publishes an event without a sequence (presence). The bytes are copied.
func (r *Ring) Notice(event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(0, event)
}

func (r *Ring) add(seq uint64, event []byte) {
	if len(r.members) == 0 {
		// Nobody reads: who comes later reads the log.
		r.end += uint64(len(event))
		r.start, r.dropped = r.end, r.head
		r.chunks, r.marks = nil, nil
		return
	}
	last := r.last()
	if last == nil || int(r.end-last.base)+len(event) > len(last.buf) {
		size := minChunk
		if last != nil {
			size = min(2*len(last.buf), maxChunk)
		}
		last = &chunk{base: r.end, buf: make([]byte, max(size, len(event)))}
		r.chunks = append(r.chunks, last)
	}
	copy(last.buf[r.end-last.base:], event)
	r.marks = append(r.marks, mark{seq, r.end})
	r.end += uint64(len(event))
	for len(r.marks) > 1 && (r.end-r.start > ringBytes || len(r.marks) > ringEntries) {
		if old := r.marks[0]; old.seq != 0 {
			r.dropped = old.seq
		}
		r.marks = r.marks[1:]
		r.start = r.marks[0].place
	}
	for len(r.chunks) > 1 && r.chunks[1].base <= r.start {
		r.chunks[0] = nil
		r.chunks = r.chunks[1:]
	}
}

// Rest lets go of what the ring keeps if nothing was published since the last
// call: in a quiet room all but the slow have it, who read their Source.
func (r *Ring) Rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end == r.rested && !r.walking {
		r.start, r.dropped = r.end, r.head
		r.chunks, r.marks = nil, nil
	}
	r.rested = r.end
}

func (r *Ring) last() *chunk {
	if len(r.chunks) == 0 {
		return nil
	}
	return r.chunks[len(r.chunks)-1]
}

// newest is the sequence of the newest record.
func (r *Ring) newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

// Members is the number of attached outlets.
func (r *Ring) Members() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members)
}

// cursor is how far one outlet has read one ring. The outlet's mu guards it,
// but for index. It takes 64 bytes, one line of the processor's cache: a walk
// touches every member's.
type cursor struct {
	ring     *Ring
	out      *Outlet
	place    uint64 // of the next byte to write
	replay   uint64 // below this place, notices are older than the attachment: skip them
	last     uint64 // sequence of the last record written
	index    int    // in ring.members; the ring's mu
	attached bool   // its reply was written: the ring's turn has come
	seek     bool   // place is not known: behind record last, wherever that is
	missed   bool   // notices were dropped unread: a snapshot is due
}

// enter makes the outlet a member; its cursor begins behind record after.
func (r *Ring) enter(o *Outlet, after uint64) *cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &cursor{ring: r, out: o, last: after, place: r.placeBehind(after), replay: r.end}
	r.own()
	c.index = len(r.members)
	r.members = append(r.members, c)
	return c
}

func (r *Ring) leave(c *cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.index < 0 {
		return
	}
	r.own()
	n := len(r.members) - 1
	moved := r.members[n]
	r.members[c.index], moved.index = moved, c.index
	r.members[n] = nil
	r.members = r.members[:n]
	c.index = -1
}

// own makes sure that no walker reads the members that are about to change.
func (r *Ring) own() {
	if r.shared {
		r.members = append(make([]*cursor, 0, len(r.members)+1), r.members...)
		r.shared = false
	}
}

// placeBehind is the place of the first event that can lie behind record
// after. The records' sequences ascend; notices between do not disturb the search.
func (r *Ring) placeBehind(after uint64) uint64 {
	if after >= r.head {
		return r.end
	}
	if after <= r.dropped {
		return r.start
	}
	i := sort.Search(len(r.marks), func(i int) bool {
		for ; i < len(r.marks); i++ {
			if r.marks[i].seq != 0 {
				return r.marks[i].seq > after
			}
		}
		return true
	})
	if i == len(r.marks) {
		return r.end
	}
	return r.marks[i].place
}

// piece is what one write takes from a ring: whole events.
type piece struct {
	data  []byte
	place uint64 // of data[0]
	last  uint64 // sequence of the newest record at or before its end
	marks []mark // the ring's, from some event at or before place on
}

// next is the next piece for a cursor, empty if it has read everything. behind
// is true if records that it needs were dropped: the Source has them.
func (r *Ring) next(c *cursor) (p piece, behind bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.last < r.dropped {
		return piece{}, true
	}
	if c.seek {
		c.seek, c.place = false, r.placeBehind(c.last)
	}
	if c.place < r.start {
		c.missed = c.missed || r.start > c.replay // else they were older than the attachment
		c.place = r.start
	}
	for c.place < c.replay { // among old notices: record by record
		i := r.markAt(c.place)
		if i == len(r.marks) {
			c.place = r.end
			break
		}
		until := r.end
		if i+1 < len(r.marks) {
			until = r.marks[i+1].place
		}
		if r.marks[i].seq != 0 {
			return r.cut(c.place, until), false
		}
		c.place = until
	}
	return r.cut(c.place, r.end), false
}

// cut is the piece from place on, to the end of its chunk or until.
func (r *Ring) cut(place, until uint64) piece {
	if place >= until {
		return piece{}
	}
	i := len(r.chunks) - 1
	for r.chunks[i].base > place {
		i--
	}
	c := r.chunks[i]
	if i+1 < len(r.chunks) {
		until = min(until, r.chunks[i+1].base)
	}
	p := piece{data: c.buf[place-c.base : until-c.base], place: place, last: r.head, marks: r.marks}
	if until != r.end {
		p.last = p.lastAt(until, r.dropped)
	}
	return p
}

// markAt is the index of the event at place.
func (r *Ring) markAt(place uint64) int {
	return sort.Search(len(r.marks), func(i int) bool { return r.marks[i].place >= place })
}

// lastAt is the sequence of the newest record that begins below place;
// otherwise, if all known are notices.
func (p *piece) lastAt(place, otherwise uint64) uint64 {
	i := sort.Search(len(p.marks), func(i int) bool { return p.marks[i].place >= place })
	for i--; i >= 0; i-- {
		if p.marks[i].seq != 0 {
			return p.marks[i].seq
		}
	}
	return otherwise
}

// wrote notes that n bytes of p went out. What remains of an event that was
// begun is returned: it must follow before anything else.
func (c *cursor) wrote(p piece, n int) (rest []byte) {
	if n == len(p.data) {
		c.place, c.last = p.place+uint64(n), max(c.last, p.last)
		return nil
	}
	whole := n
	if n > 0 && p.data[n-1] != '\n' {
		whole = lineEnd(p.data, n)
		rest = append(rest, p.data[n:whole]...)
	}
	c.place = p.place + uint64(whole)
	c.last = max(c.last, p.lastAt(c.place, c.last))
	return rest
}
