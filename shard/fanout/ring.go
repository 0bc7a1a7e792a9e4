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
)

// Source gives a ring what it does not keep any more. Calls may block on disk.
type Source interface {
	// Records returns encoded events of the records behind after, in order, at
	// least one and about maxBytes, and the last sequence among them.
	Records(ctx context.Context, after uint64, maxBytes int) (events []byte, last uint64, err error)
	// Snapshot returns encoded events that stand for all notices so far (the
	// list of participants). Sent to a session that missed notices while behind.
	Snapshot() []byte
}

// Ring is a room's recent encoded events, each encoded once for all sessions.
type Ring struct {
	src Source

	mu      sync.RWMutex
	entries []entry // oldest first
	base    uint64  // number of entries dropped before entries[0]
	dropped uint64  // sequence of the newest record dropped: the ring has all behind it
	head    uint64  // sequence of the newest record
	bytes   int
	members map[*Outlet]struct{}
	list    []*Outlet // snapshot of members for Wake; nil after a change
}

// entry is one event; seq 0 is a notice.
type entry struct {
	seq  uint64
	data []byte
}

// NewRing makes a ring whose newest record is head.
func (p *Pool) NewRing(head uint64, src Source) *Ring {
	return &Ring{src: src, head: head, dropped: head, members: map[*Outlet]struct{}{}}
}

// Append publishes the encoded event of record seq (always head+1). The bytes are copied.
func (r *Ring) Append(seq uint64, event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = seq
	r.add(entry{seq, append([]byte(nil), event...)})
}

// Notice publishes an event without a sequence (presence). The bytes are copied.
func (r *Ring) Notice(event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(entry{0, append([]byte(nil), event...)})
}

func (r *Ring) add(e entry) {
	if len(r.members) == 0 {
		// Nobody reads: who comes later reads the log.
		r.base += uint64(len(r.entries)) + 1
		r.entries, r.bytes, r.dropped = nil, 0, r.head
		return
	}
	r.entries = append(r.entries, e)
	r.bytes += len(e.data)
	for r.bytes > ringBytes || len(r.entries) > ringEntries {
		old := r.entries[0]
		r.entries[0] = entry{}
		r.entries = r.entries[1:]
		r.base++
		r.bytes -= len(old.data)
		if old.seq != 0 {
			r.dropped = old.seq
		}
	}
}

// Wake lets the members' writers write what was appended. Called once per commit.
func (r *Ring) Wake() {
	r.mu.Lock()
	if r.list == nil {
		r.list = make([]*Outlet, 0, len(r.members))
		for o := range r.members {
			r.list = append(r.list, o)
		}
	}
	list := r.list
	r.mu.Unlock()
	for _, o := range list {
		o.wake()
	}
}

// Head is the newest sequence appended.
func (r *Ring) Head() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.head
}

// Members is the number of attached outlets.
func (r *Ring) Members() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.members)
}

// cursor is how far one outlet has read one ring.
type cursor struct {
	ring    *Ring
	last    uint64 // sequence of the last record written
	next    uint64 // number of the next entry to look at
	notices uint64 // entries below are notices older than the attachment
	missed  bool   // notices were dropped unread: a snapshot is due
}

// enter makes the outlet a member; its cursor begins behind record after.
func (r *Ring) enter(o *Outlet, after uint64) *cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[o] = struct{}{}
	r.list = nil
	c := &cursor{ring: r, last: after, notices: r.base + uint64(len(r.entries))}
	c.next = r.base + uint64(r.find(after))
	return c
}

func (r *Ring) leave(o *Outlet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, o)
	r.list = nil
}

// find is the index of the first entry that can lie behind record after. The
// records' sequences ascend; notices between them do not disturb the search.
func (r *Ring) find(after uint64) int {
	if after >= r.head {
		return len(r.entries)
	}
	first := r.dropped + 1
	if after < first {
		return 0
	}
	return sort.Search(len(r.entries), func(i int) bool {
		for ; i < len(r.entries); i++ {
			if r.entries[i].seq != 0 {
				return r.entries[i].seq > after
			}
		}
		return true
	})
}

// gather appends what the cursor has not read to buf, up to about limit bytes.
// behind is true if records it needs were dropped: the Source has them.
func (c *cursor) gather(buf []byte, limit int) (out []byte, behind, more bool) {
	r := c.ring
	r.mu.RLock()
	defer r.mu.RUnlock()
	if c.last < r.dropped {
		return buf, true, true
	}
	if c.next < r.base {
		c.missed = c.missed || c.notices < r.base
		c.next = r.base
	}
	for c.next < r.base+uint64(len(r.entries)) {
		if len(buf) >= limit {
			return buf, false, true
		}
		e := r.entries[c.next-r.base]
		switch {
		case e.seq > c.last:
			buf = append(buf, e.data...)
			c.last = e.seq
		case e.seq == 0 && c.next >= c.notices:
			buf = append(buf, e.data...)
		}
		c.next++
	}
	return buf, false, false
}
