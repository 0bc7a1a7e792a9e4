package shard

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"positivity-exchange/shard/fanout"
	"positivity-exchange/shard/roomlog"
)

// batchSize bounds a commit's records; what arrives meanwhile forms the next.
const batchSize = 256

// inlineBatches is how many batches the reader that queued a partition's first
// record commits itself before a goroutine of the partition's goes on: waking
// one costs more than a commit, but a reader must get back to its own session.
const inlineBatches = 4

// busyGap is the longest time between a commit and the next message at which a
// shard counts as busy.
const busyGap = 2 * time.Millisecond

// longWalk is the number of members whose writing takes longer than a commit or two.
const longWalk = 32

// pending is a record that waits for its commit. Its window's entry has it.
type pending struct {
	session *session
	room    *room
	entry   *seen
	before  []*session // by which it came as well, earlier
	size    int64      // counts as the session's
	sought  bool       // the log was looked through for it, in vain
}

func (q *pending) key() dedupKey { return dedupKey{q.entry.record.User, q.entry.record.ID} }

// commitQueued commits what the session's reader is to commit: the partitions
// whose first queued record was its own. Others queue meanwhile and are not
// kept waiting for long: a reader calls it before it does anything that may wait.
// Of several partitions it commits one itself: a log that does not answer for one
// must not stop those behind it.
func (s *session) commitQueued() {
	if len(s.duties) == 0 {
		return
	}
	// Let all readers that can run queue theirs first: one commit and one walk
	// then do for all. Where messages are rare none can, and the scheduler would
	// wake a thread to look for work.
	if s.heard.Load()-s.server.committed.Load() < int64(busyGap) {
		runtime.Gosched()
		runtime.Gosched()
	}
	own := s.duties[0]
	for _, p := range s.duties[1:] {
		p.commitApart()
	}
	clear(s.duties)
	s.duties = s.duties[:0]
	own.commit(inlineBatches)
}

// resumeLocked has a goroutine commit what was queued, if nobody is to.
func (p *part) resumeLocked() {
	if p.duty || len(p.queue) == 0 || p.gate != nil || p.over {
		return
	}
	p.duty = true
	p.commitApart()
}

// commitApart has a goroutine take the caller's duty.
func (p *part) commitApart() { p.server.wg.Go(func() { p.commit(math.MaxInt) }) }

// commit appends batch after batch, and has the members written, until the
// queue is empty or the partition stops; after so many batches a goroutine goes
// on. The caller has the duty.
func (p *part) commit(batches int) {
	for p.commitBatch() {
		if batches--; batches == 0 {
			p.commitApart()
			return
		}
	}
}

// commitBatch is one transaction and one walk. false: the duty has ended, and
// nothing was left to do when it did.
func (p *part) commitBatch() bool {
	p.mu.Lock()
	if len(p.queue) == 0 || p.gate != nil || p.over {
		p.duty = false
		p.mu.Unlock()
		return false
	}
	n := min(batchSize, len(p.queue))
	batch, records := p.number(p.queue[:n])
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
	epoch := p.epoch
	p.committing = true
	p.mu.Unlock()
	var err error
	var stored []bool
	if len(records) > 0 {
		err = p.server.opts.Log.Append(context.Background(), p.partition, epoch, records)
		p.server.keeper.Refused(err)
		if errors.Is(err, roomlog.ErrUnknown) {
			stored = p.resolve(records, epoch)
		}
	}
	p.mu.Lock()
	var few [4]*fanout.Ring
	rings := p.settle(few[:0], batch, records, stored, err)
	p.committing = false
	p.idle.Broadcast()
	// While many are written to, who has something new stores it: then those who
	// come later in the walk get both in one write, and sooner.
	on := len(p.queue) > 0 || !slices.ContainsFunc(rings, func(r *fanout.Ring) bool { return r.Members() >= longWalk })
	p.duty = on
	p.mu.Unlock()
	for _, r := range rings {
		r.Wake()
	}
	return on
}

// deposed follows the refusal of an append: the partition has another owner.
func (p *part) deposed(epoch uint64, records int) {
	p.server.logger.Warn("append refused: the partition has another owner", "partition", p.partition, "epoch", epoch, "records", records)
	p.server.keeper.Fenced(p.partition, epoch)
}

// number gives a batch its sequences. Records whose sender must first repeat
// an earlier one are refused here: a batch before may have failed. The slices
// are the committer's until it has settled.
func (p *part) number(queued []pending) (batch []pending, records []roomlog.Record) {
	batch, records = p.batch[:0], p.records[:0]
	now := time.Now().UnixMilli()
	for _, q := range queued {
		rec := &q.entry.record
		if seat := q.room.members[q.session]; seat != nil && !seat.late && seat.waitsFor(rec.ID) {
			delete(q.room.window, q.key())
			q.session.refuse(outOfOrder(), rec.Room, rec.ID)
			q.session.unsettled.add(-q.size)
			continue
		}
		q.room.next = max(q.room.next, q.room.head.Seq) + 1
		batch = append(batch, q)
		records = append(records, *rec)
		last := &records[len(records)-1]
		last.Seq, last.Epoch, last.Time = q.room.next, p.epoch, now
	}
	p.batch, p.records = batch, records
	return batch, records
}

// settle answers a batch and adds the rings that have something new to rings. stored
// tells what is in the log despite err; nil: nothing.
func (p *part) settle(rings []*fanout.Ring, batch []pending, records []roomlog.Record, stored []bool, err error) []*fanout.Ring {
	now := time.Now()
	p.server.committed.Store(now.UnixNano())
	if err != nil {
		p.mustRepeat(batch, stored)
	}
	for i, q := range batch {
		q.room.next = 0
		rec := &records[i]
		if err != nil && (stored == nil || !stored[i]) {
			p.refuseQueued(q, err)
			continue
		}
		q.entry.record = *rec
		if q.sought {
			q.room.noteStored(rec.User, rec.ID)
		}
		q.room.remember(q.entry)
		q.room.head = roomlog.Position{Seq: rec.Seq, Epoch: rec.Epoch}
		q.room.noteEpoch(rec.Seq, rec.Epoch)
		q.room.used = now
		if rec.Kind == roomlog.KindTopic {
			q.room.topic = rec.Content
			p.server.roomsChanged(p.partition)
		}
		p.encoded = appendRecord(p.encoded[:0], rec)
		q.room.ring.Append(rec.Seq, p.encoded)
		if !slices.Contains(rings, q.room.ring) {
			rings = append(rings, q.room.ring)
		}
	}
	// A deposed owner's may also have failed in another way, as when it stood still
	// and lost the connection to its log: what became of it is the same.
	if errors.Is(err, roomlog.ErrFenced) || err != nil && stored == nil && p.over {
		p.deposed(p.epoch, len(batch))
	}
	for _, q := range batch {
		q.session.unsettled.add(-q.size) // who waits for that finds the answer
	}
	clear(batch)
	clear(records)
	return rings
}
