package shard

import (
	"errors"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog"
)

// resolveEvery is how often a log that does not answer is asked for the fate of
// an append.
const resolveEvery = 100 * time.Millisecond

// resolve finds out what of a batch with an unknown outcome is in the log. The
// partition is acquired anew first, so that nothing late can enter. Until the
// log answers nothing is numbered: what is in memory may be behind the log.
//
// It needs the partition's turn with the keeper, which a move may have that
// waits for the commit in flight, this one: Stop gives way as long as it runs.
func (p *part) resolve(records []roomlog.Record, epoch uint64) (stored []bool) {
	s := p.server
	p.mu.Lock()
	p.resolving = true
	p.idle.Broadcast()
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.resolving = false
		p.mu.Unlock()
	}()
	for first := true; ; first = false {
		stored, err := p.lookUp(records, epoch)
		if err == nil {
			return stored
		}
		if errors.Is(err, roomlog.ErrFenced) || s.ctx.Err() != nil || p.isOver() {
			s.keeper.Fenced(p.partition, epoch)
			return nil
		}
		if first {
			s.logger.Warn("the fate of an append is not known and the log does not answer", "partition", p.partition, "err", err)
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(resolveEvery):
		}
	}
}

// lookUp acquires the partition anew and reads which of the records are in;
// those take the place of what was to be stored.
func (p *part) lookUp(records []roomlog.Record, epoch uint64) (stored []bool, err error) {
	s := p.server
	p.mu.Lock()
	anew := p.epoch != epoch // by a lookUp that could not read
	p.mu.Unlock()
	if !anew {
		h, err := s.keeper.Reacquire(s.ctx, p.partition, epoch)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.epoch = h.Epoch
		p.mu.Unlock()
	}
	stored = make([]bool, len(records))
	for i := range records {
		found, err := s.opts.Log.Read(s.ctx, p.partition, records[i].Room, records[i].Seq, 1, 1)
		if err != nil {
			return nil, err
		}
		stored[i] = len(found) == 1 && found[0].ID == records[i].ID && found[0].User == records[i].User
		if stored[i] {
			records[i] = found[0]
		}
	}
	return stored, nil
}

// refuseQueued answers a record that is not in the log.
func (p *part) refuseQueued(q pending, err error) {
	rec := q.entry.record
	delete(q.room.window, q.key())
	if errors.Is(err, roomlog.ErrFenced) {
		q.session.send(comms.Redirect{Room: rec.Room, Partition: p.partition, ID: rec.ID, Retry: 50})
		return
	}
	q.session.refuse(storeError(err, rec.Room), rec.Room, rec.ID)
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
