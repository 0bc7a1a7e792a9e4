package client

import "testing"

// TestOutboxIsEmptiedInPlace: copied for each acknowledgement, a file of 40,000
// lines takes ten seconds to send.
func TestOutboxIsEmptiedInPlace(t *testing.T) {
	const n = 1000
	r := &room{outbox: make([]*outgoing, n)}
	for i := range r.outbox {
		r.outbox[i] = &outgoing{Pending: Pending{Seen: uint64(i)}}
	}
	if third := r.take(2); third.Seen != 2 || r.outbox[0].Seen != 0 || r.outbox[1].Seen != 1 || r.outbox[2].Seen != 3 {
		t.Errorf("took %d and left %d, %d, %d", third.Seen, r.outbox[0].Seen, r.outbox[1].Seen, r.outbox[2].Seen)
	}
	if allocs := testing.AllocsPerRun(n/2, func() { r.take(0) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
