package shard

import (
	"context"
	"errors"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog"
)

// batchSize bounds a commit's records; what arrives meanwhile forms the next.
const batchSize = 256

// pending is a record that waits for its commit.
type pending struct {
	session *session
	room    *room
	record  roomlog.Record
}

// say sequences one message or topic of a session. Called by the session's
// reader, one at a time, so a sender's order is the order of calls.
func (s *session) say(rec roomlog.Record, again bool, known uint64) {
	for {
		p, err := s.server.part(s.ctx, rec.Room)
		if err != nil {
			s.refuse(err, rec.Room, rec.ID)
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
			s.refuse(storeError(err, rec.Room), rec.Room, rec.ID)
			return
		}
		if p.sequence(s, r, rec, again, known) {
			return
		}
		// Older than the window: look the log through, off the sequencer.
		found, err := p.lookThrough(s.ctx, rec, known)
		p.mu.Lock()
		if entry := r.window[dedupKey{rec.User, rec.ID}]; entry != nil && entry.looking {
			delete(r.window, dedupKey{rec.User, rec.ID})
		}
		p.mu.Unlock()
		switch {
		case err != nil:
			s.refuse(storeError(err, rec.Room), rec.Room, rec.ID)
			return
		case found != nil && (found.Content != rec.Content || found.Kind != rec.Kind):
			s.refuse(conflict(), rec.Room, rec.ID)
			return
		case found != nil:
			s.out.Send(appendRecord(nil, *found))
			return
		}
		again = false // looked for and not there: new
	}
}

func conflict() error {
	return &comms.Error{Code: comms.CodeConflict, Message: "another message has this id; use a new id for other content"}
}

// sequence answers or queues one record. The caller holds p.mu, which is
// released here. false: the log must be looked through first; the id is marked.
func (p *part) sequence(s *session, r *room, rec roomlog.Record, again bool, known uint64) bool {
	defer p.mu.Unlock()
	seat := r.members[s]
	if seat == nil {
		s.refuse(&comms.Error{Code: comms.CodeNotJoined, Message: "join the room before you speak in it"}, rec.Room, rec.ID)
		return true
	}
	if seat.refused != "" && seat.refused != rec.ID {
		s.refuse(&comms.Error{Code: comms.CodeOutOfOrder, Message: "an earlier message was refused and must come again first", Retry: 1}, rec.Room, rec.ID)
		return true
	}
	key := dedupKey{rec.User, rec.ID}
	if old := r.window[key]; old != nil {
		switch {
		case old.looking:
			s.refuse(&comms.Error{Code: comms.CodePending, Message: "this message is being looked for; ask again", Retry: 200}, rec.Room, rec.ID)
			return true
		case old.record.Content != rec.Content || old.record.Kind != rec.Kind:
			s.refuse(conflict(), rec.Room, rec.ID)
		case old.record.Seq != 0:
			s.out.Send(appendRecord(nil, old.record))
		}
		seat.refused = "" // otherwise the commit under way answers
		return true
	}
	if again && known < r.low {
		r.window[key] = &seen{looking: true}
		return false
	}
	seat.refused = ""
	r.window[key] = &seen{record: rec}
	p.queue = append(p.queue, &pending{s, r, rec})
	p.commitLocked()
	return true
}

// lookThrough searches the room's records behind known for rec's id.
func (p *part) lookThrough(ctx context.Context, rec roomlog.Record, known uint64) (*roomlog.Record, error) {
	for {
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
}

// commitLocked starts the committer if there is work and none runs.
func (p *part) commitLocked() {
	if p.committing || len(p.queue) == 0 || p.gate != nil || p.over {
		return
	}
	p.committing = true
	p.server.wg.Go(p.commit)
}

// commit appends batch after batch until the queue is empty or the partition stops.
func (p *part) commit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && p.gate == nil && !p.over {
		batch := p.queue[:min(batchSize, len(p.queue))]
		p.queue = p.queue[len(batch):]
		batch, records := p.number(batch)
		if len(records) == 0 {
			continue
		}
		epoch := p.epoch
		p.mu.Unlock()
		err := p.server.opts.Log.Append(context.Background(), p.partition, epoch, records)
		stored := map[*pending]roomlog.Record{}
		if errors.Is(err, roomlog.ErrUnknown) {
			stored = p.resolve(batch, records, epoch)
		}
		p.mu.Lock()
		p.settle(batch, records, stored, err)
	}
	p.committing = false
	p.idle.Broadcast()
}

// number gives a batch its sequences. Records whose sender must first repeat
// an earlier one are refused here: a batch before may have failed.
func (p *part) number(batch []*pending) (kept []*pending, records []roomlog.Record) {
	next := map[*room]uint64{}
	now := time.Now().UnixMilli()
	for _, q := range batch {
		if seat := q.room.members[q.session]; seat != nil && seat.refused != "" && seat.refused != q.record.ID {
			delete(q.room.window, dedupKey{q.record.User, q.record.ID})
			q.session.refuse(&comms.Error{Code: comms.CodeOutOfOrder, Message: "an earlier message was refused and must come again first", Retry: 1}, q.record.Room, q.record.ID)
			continue
		}
		if next[q.room] == 0 {
			next[q.room] = q.room.head.Seq
		}
		next[q.room]++
		q.record.Seq, q.record.Epoch, q.record.Time = next[q.room], p.epoch, now
		kept = append(kept, q)
		records = append(records, q.record)
	}
	return kept, records
}

// resolve finds out what of a batch with an unknown outcome is in the log. The
// partition is acquired anew first, so that nothing late can enter.
func (p *part) resolve(batch []*pending, records []roomlog.Record, epoch uint64) map[*pending]roomlog.Record {
	s := p.server
	stored := map[*pending]roomlog.Record{}
	h, err := s.keeper.Reacquire(s.ctx, p.partition, epoch)
	if err != nil {
		s.keeper.Fenced(p.partition, epoch)
		return stored
	}
	for i, q := range batch {
		found, err := s.opts.Log.Read(s.ctx, p.partition, q.record.Room, records[i].Seq, 1, 1)
		if err == nil && len(found) == 1 && found[0].ID == q.record.ID && found[0].User == q.record.User {
			stored[q] = found[0]
		}
	}
	p.mu.Lock()
	p.epoch = h.Epoch
	p.mu.Unlock()
	return stored
}

// settle answers a batch.
func (p *part) settle(batch []*pending, records []roomlog.Record, stored map[*pending]roomlog.Record, err error) {
	woken := map[*room]struct{}{}
	var buf []byte
	for i, q := range batch {
		key := dedupKey{q.record.User, q.record.ID}
		rec, ok := records[i], err == nil
		if !ok {
			rec, ok = stored[q]
		}
		if !ok {
			delete(q.room.window, key)
			if seat := q.room.members[q.session]; seat != nil && seat.refused == "" {
				seat.refused = q.record.ID
			}
			if errors.Is(err, roomlog.ErrFenced) {
				q.session.send(comms.Redirect{Room: q.record.Room, Partition: p.partition, ID: q.record.ID, Retry: 50})
			} else {
				q.session.refuse(storeError(err, q.record.Room), q.record.Room, q.record.ID)
			}
			continue
		}
		delete(q.room.window, key)
		q.room.remember(rec)
		q.room.head = roomlog.Position{Seq: rec.Seq, Epoch: rec.Epoch}
		q.room.used = time.Now()
		if rec.Kind == roomlog.KindTopic {
			q.room.topic = rec.Content
			p.server.roomsChanged(p.partition)
		}
		buf = appendRecord(buf[:0], rec)
		q.room.ring.Append(rec.Seq, buf)
		woken[q.room] = struct{}{}
	}
	for r := range woken {
		r.ring.Wake()
	}
	if errors.Is(err, roomlog.ErrFenced) {
		p.server.logger.Warn("append refused: the partition has another owner", "partition", p.partition, "epoch", p.epoch, "records", len(batch))
		p.server.keeper.Fenced(p.partition, p.epoch)
	}
}

// storeError turns the log's answer into what the client is told.
func storeError(err error, room string) error {
	switch {
	case errors.Is(err, roomlog.ErrNoRoom):
		return &comms.Error{Code: comms.CodeNoRoom, Message: "there is no room #" + room + "; create it first"}
	case errors.Is(err, roomlog.ErrRoomExists):
		return &comms.Error{Code: comms.CodeRoomExists, Message: "the room #" + room + " exists already; join it"}
	case errors.Is(err, roomlog.ErrUnknown):
		return &comms.Error{Code: comms.CodeUnknownFate, Message: "the store did not answer; send it again under the same id", Retry: 200}
	case errors.Is(err, roomlog.ErrFenced):
		return &comms.Error{Code: comms.CodeNotReady, Message: "the room has moved; ask a router", Retry: 50}
	}
	return &comms.Error{Code: comms.CodeStorage, Message: "the store refused it (disk full, or busy); send it again", Retry: 500}
}
