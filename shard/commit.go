package shard

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"positivity-exchange/comms"
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

// say sequences one message or topic of a session. Called by the session's
// reader, one at a time, so a sender's order is the order of calls. What was
// queued is committed once the reader has nothing more to read.
func (s *session) say(rec roomlog.Record, again bool, known uint64) {
	if s.sayAtOnce(rec, again, known) {
		return
	}
	s.commitQueued() // what follows may wait; the partition must not
	if s.behindRefused(rec) {
		return
	}
	for sought := false; ; {
		p, err := s.server.part(s.ctx, rec.Room)
		if err != nil {
			s.notTaken(err, rec)
			return
		}
		r, over, err := p.load(s.ctx, rec.Room)
		if over {
			if s.ctx.Err() != nil {
				return
			}
			continue
		}
		if err != nil {
			s.notTaken(storeError(err, rec.Room), rec)
			return
		}
		low := r.low
		if p.sequence(s, r, rec, again, known, sought) {
			return
		}
		// Older than the window: look the log through, off the sequencer.
		found, err := p.lookThrough(s.ctx, rec, known, low)
		p.mu.Lock()
		if entry := r.window[dedupKey{rec.User, rec.ID}]; entry != nil && entry.looking {
			delete(r.window, dedupKey{rec.User, rec.ID})
		}
		if found != nil {
			r.isStored(rec.User, rec.ID)
		}
		p.mu.Unlock()
		switch {
		case err != nil:
			s.notTaken(storeError(err, rec.Room), rec)
			return
		case found != nil && (found.Content != rec.Content || found.Kind != rec.Kind):
			s.refuse(conflict(), rec.Room, rec.ID)
			return
		case found != nil:
			s.out.Queue(appendRecord(nil, found))
			return
		}
		again, sought = false, true // looked for and not there: new
	}
}

// sayAtOnce is say in a room that the session is in and that is open here, as
// almost always: without I/O, under the one lock that orders the partition.
func (s *session) sayAtOnce(rec roomlog.Record, again bool, known uint64) bool {
	p, r := s.openRoom([]byte(rec.Room))
	if r == nil {
		return false
	}
	if again && known < r.low {
		p.mu.Unlock()
		return false
	}
	return p.sequence(s, r, rec, again, known, false)
}

// sayView is say of a command that is still in the connection's buffer: one
// copy of its text is all that is made.
func (s *session) sayView(v comms.SendView) {
	text := string(append(append(make([]byte, 0, len(v.ID)+len(v.Content)), v.ID...), v.Content...))
	rec := roomlog.Record{Kind: roomlog.KindMessage, User: s.user, ID: text[:len(v.ID)], Content: text[len(v.ID):]}
	p, r := s.openRoom(v.Room)
	switch {
	case r == nil:
	case v.Again && v.Seen < r.low:
		p.mu.Unlock()
	default:
		rec.Room = r.name
		p.sequence(s, r, rec, v.Again, v.Seen, false)
		return
	}
	rec.Room = string(v.Room)
	s.say(rec, v.Again, v.Seen)
}

// openRoom returns a room that the session is in and that accepts now, its
// part's mu held; nil if that cannot be told without I/O or waiting.
func (s *session) openRoom(name []byte) (*part, *room) {
	s.mu.Lock()
	p := s.joined[string(name)]
	s.mu.Unlock()
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	r := p.rooms[string(name)]
	if r == nil || p.over || p.gate != nil || !s.server.keeper.Fresh(p.partition, p.epoch) {
		p.mu.Unlock()
		return nil, nil
	}
	return p, r
}

func conflict() error {
	return &comms.Error{Code: comms.CodeConflict, Message: "another message has this id; use a new id for other content"}
}

// sequence answers or queues one record. The caller holds p.mu, which is
// released here. false: the log must be looked through first; the id is marked.
// sought: it has been, in vain.
func (p *part) sequence(s *session, r *room, rec roomlog.Record, again bool, known uint64, sought bool) bool {
	defer p.mu.Unlock()
	seat := r.members[s]
	if seat == nil {
		s.refuse(&comms.Error{Code: comms.CodeNotJoined, Message: "join the room before you speak in it"}, rec.Room, rec.ID)
		return true
	}
	key := dedupKey{rec.User, rec.ID}
	if old := r.window[key]; old != nil {
		switch {
		case old.looking:
			seat.mustRepeat(rec.ID)
			s.refuse(&comms.Error{Code: comms.CodePending, Message: "this message is being looked for; ask again", Retry: 200}, rec.Room, rec.ID)
			return true
		case !old.is(&rec):
			s.refuse(conflict(), rec.Room, rec.ID)
		case old.record.Seq != 0:
			stored := old.record
			stored.Content = rec.Content // the same, and not kept, maybe
			s.out.Queue(appendRecord(nil, &stored))
		default:
			p.answerTo(s, old) // by the commit under way
		}
		seat.repeated(rec.ID)
		return true
	}
	if seat.waitsFor(rec.ID) {
		s.refuse(outOfOrder(), rec.Room, rec.ID)
		return true
	}
	if again && known < r.low {
		r.window[key] = &seen{looking: true}
		return false
	}
	seat.repeated(rec.ID)
	entry := &seen{record: rec}
	r.window[key] = entry
	size := int64(pendingSize + len(rec.ID) + len(rec.Content))
	s.unsettled.add(size)
	p.queue = append(p.queue, pending{session: s, room: r, entry: entry, size: size, sought: sought})
	if !p.duty && p.gate == nil {
		p.duty = true
		s.duties = append(s.duties, p)
	}
	return true
}

// lookThrough searches the room's records behind known for rec's id, up to low:
// those above were in the window when it was not found there.
func (p *part) lookThrough(ctx context.Context, rec roomlog.Record, known, low uint64) (*roomlog.Record, error) {
	for known < low {
		page, err := p.server.opts.Log.Read(ctx, p.partition, rec.Room, known+1, 1000, 1<<20)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		for i := range page {
			if page[i].User == rec.User && page[i].ID == rec.ID {
				return &page[i], nil
			}
		}
		known = page[len(page)-1].Seq
	}
	return nil, nil
}

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
		err = p.append(context.Background(), epoch, records)
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
			p.unsettled(q, err)
			continue
		}
		q.entry.record = *rec
		if q.sought {
			q.room.isStored(rec.User, rec.ID)
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
