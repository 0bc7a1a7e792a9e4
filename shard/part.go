package shard

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
)

const (
	graceFor    = 10 * time.Second // in which people come back after a move or a crash
	lingerFor   = 5 * time.Second  // in which they do after their connection broke off
	heardWithin = time.Second      // a session whose shard need not think itself unreachable
	headsFor    = time.Second      // in which whoever had a partition opened opens the room they came for

	// tailRecords of a room's end are read when it is opened, for the dedup window:
	// what was sent before a take-over is rarely further back, and is looked for in
	// the log if it is. People wait meanwhile: on JetStream 0.1 ms for each.
	tailRecords = 32
)

// part is one held partition.
type part struct {
	server    *Server
	partition int
	first     uint64 // epoch at which it was opened
	since     time.Time

	opening chan struct{} // one slot: one opening or loading at a time; taken during log I/O, never with mu
	seeded  atomic.Bool

	mu         sync.Mutex // above the Server's, a session's, an outlet's
	epoch      uint64
	rooms      map[string]*room
	queue      []pending
	duty       bool          // somebody is to commit what is queued
	committing bool          // a batch is being appended
	idle       *sync.Cond    // committing became false
	gate       chan struct{} // not nil while stopped: closed when it goes on or is over
	resolving  bool          // the commit in flight waits for the keeper to learn what became of it
	over       bool
	grace      map[string]map[string]time.Time // room -> user, present without a session, and until when
	rest       time.Time                       // when its rings are asked next whether they may rest
	heard      time.Time                       // the last word of a session that has left since
	silent     bool                            // after a crash: nobody knows who was there
	until      time.Time                       // end of that

	// Known without the log until a room is opened, for a while.
	ends  map[string][]roomlog.Record // of rooms that came by a move
	heads map[string]head             // of rooms that were looked for when the partition was opened

	// Of the one committer, kept for the next batch.
	batch   []pending
	records []roomlog.Record
	encoded []byte
}

func newPart(s *Server, h ownership.Holding) *part {
	now := time.Now()
	p := &part{
		server: s, partition: h.Partition, first: h.Epoch, epoch: h.Epoch, opening: make(chan struct{}, 1),
		rooms: map[string]*room{}, grace: map[string]map[string]time.Time{}, heads: map[string]head{}, since: now,
	}
	p.idle = sync.NewCond(&p.mu)
	if h.Crashed {
		p.silent, p.until = true, now.Add(graceFor)
		return p
	}
	p.takeOver(h.Handover.Take(), now)
	return p
}

// head is what roomlog.Log.Head says of a room.
type head struct {
	at   roomlog.Position
	info roomlog.RoomInfo
}

func (p *part) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// turn waits for the right to open or load, which another may have for as long
// as the log does not answer.
func (p *part) turn(ctx context.Context) error {
	select {
	case p.opening <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *part) giveTurn() { <-p.opening }

// seed creates the rooms of the rooms file that the log does not have.
func (p *part) seed(ctx context.Context) error {
	if p.seeded.Load() {
		return nil
	}
	if err := p.turn(ctx); err != nil {
		return err
	}
	defer p.giveTurn()
	if p.seeded.Load() {
		return nil
	}
	var missing []roomlog.Record
	for _, r := range p.server.seeds[p.partition] {
		at, info, err := p.server.opts.Log.Head(ctx, p.partition, r.Name)
		switch {
		case errors.Is(err, roomlog.ErrNoRoom):
			missing = append(missing, roomlog.Record{Room: r.Name, Kind: roomlog.KindCreated, Content: r.Description, Time: time.Now().UnixMilli()})
		case err != nil:
			return err
		default:
			p.mu.Lock()
			p.heads[r.Name] = head{at, info}
			p.mu.Unlock()
		}
	}
	if len(missing) > 0 {
		if err := p.server.opts.Log.Append(ctx, p.partition, p.first, missing); err != nil {
			p.server.keeper.Refused(err)
			return err
		}
	}
	p.seeded.Store(true)
	return nil
}

// enter waits until the partition accepts and returns with mu held, or says
// that it is over: then the caller looks again who holds it.
func (p *part) enter(ctx context.Context) (ok bool) {
	for {
		p.mu.Lock()
		if p.over {
			p.mu.Unlock()
			return false
		}
		gate := p.gate
		if gate == nil {
			return true
		}
		p.mu.Unlock()
		select {
		case <-gate:
		case <-ctx.Done():
			return false
		}
	}
}

// end forgets the rooms, sends their sessions elsewhere and refuses what is queued.
func (p *part) end(where ownership.Where) {
	s := p.server
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	p.over = true
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
	queue, rooms := p.queue, p.rooms
	p.queue, p.rooms = nil, map[string]*room{}
	moved := map[*session][]string{}
	for name, r := range rooms {
		for sess := range r.members {
			moved[sess] = append(moved[sess], name)
			sess.leftRoom(name, p)
			sess.out.Detach(r.ring, nil)
		}
	}
	p.mu.Unlock()
	for _, q := range queue {
		q.session.send(redirectTo(where, q.entry.record.Room, p.partition, q.entry.record.ID))
		q.session.unsettled.add(-q.size)
	}
	now := time.Now()
	for sess, names := range moved {
		ticket, expires := s.opts.Keys.Issue(comms.AsClient, sess.user, now)
		sess.send(comms.RoomMoved{Partition: p.partition, Rooms: names, Shard: where.Name, Addr: where.Addr, Epoch: where.Epoch, Ticket: ticket, Expires: expires.UnixMilli()})
	}
}

func redirectTo(w ownership.Where, room string, partition int, id string) comms.Redirect {
	r := comms.Redirect{Room: room, Partition: partition, Shard: w.Name, Addr: w.Addr, Epoch: w.Epoch, ID: id}
	if w.Addr == "" {
		r.Retry = 200
	}
	return r
}
