package shard

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/fanout"
	"positivity-exchange/shard/roomlog"
)

// room is an open room; its fields are guarded by its part's mu.
type room struct {
	part    *part
	name    string
	topic   string
	head    roomlog.Position
	next    uint64             // newest sequence given in the batch under way; 0 between batches
	epochs  []roomlog.Position // with which record each epoch begins among the newest, which were read or written here
	ring    *fanout.Ring
	members map[*session]*seat
	users   map[string]attendee
	shown   int       // of users, as the members know them
	changed []string  // users whose presence the members are to be told, maybe
	roster  []string  // who is present, sorted; nil: not known
	quiet   time.Time // the members are told of changes no sooner
	window  map[dedupKey]*seen
	order   []*seen // the stored ones of the window, as they came; a circle once it is full
	oldest  int     // in order
	low     uint64  // every record above is in the window
	used    time.Time
}

type dedupKey struct{ user, id string }

// seen is a message known by its client id.
type seen struct {
	record  roomlog.Record // Seq 0 while its commit runs
	looking bool           // being looked for in the log
	dropped bool           // Content is not kept, but for its hash
	hash    uint64
}

const (
	windowSize = 1024
	// keptBytes of a message's text stay in the window for as long as its entry; a
	// longer one's go when a hand-over does not take it along any more. 1,024 of the
	// longest would be 16 MiB a room.
	keptBytes = 256
)

var textSeed = maphash.MakeSeed()

// dropText lets go of a long text: of the id, too, which may be a part of the same
// piece of memory. false: it is not long.
func (e *seen) dropText() bool {
	text := e.record.Content
	if len(text) <= keptBytes {
		return false
	}
	e.dropped, e.hash, e.record.Content = true, maphash.String(textSeed, text), ""
	e.record.ID = strings.Clone(e.record.ID)
	return true
}

// is tells whether a record with the id of this one says the same.
func (e *seen) is(rec *roomlog.Record) bool {
	if e.record.Kind != rec.Kind {
		return false
	}
	if e.dropped {
		return e.hash == maphash.String(textSeed, rec.Content)
	}
	return e.record.Content == rec.Content
}

// load returns the open room, reading it from the log at first use. It returns
// with p.mu held if err is nil; over means that the partition is not ours any more.
func (p *part) load(ctx context.Context, name string) (r *room, over bool, err error) {
	for {
		if !p.enter(ctx) {
			return nil, true, nil
		}
		if r := p.rooms[name]; r != nil {
			r.used = time.Now()
			return r, false, nil
		}
		p.mu.Unlock()
		if p.turn(ctx) != nil {
			return nil, true, nil
		}
		p.mu.Lock()
		opened := p.over || p.rooms[name] != nil
		p.mu.Unlock()
		if !opened {
			break
		}
		p.giveTurn() // another was here meanwhile
	}
	defer p.giveTurn()
	known, tail, err := p.look(ctx, name)
	if err != nil {
		return nil, false, err
	}
	// Not through enter: a Stop may be waiting for our turn to end. Nothing is lost by
	// loading a room that then moves.
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return nil, true, nil
	}
	r = &room{
		part: p, name: name, topic: known.info.Description, head: known.at, members: map[*session]*seat{}, users: map[string]attendee{},
		window: map[dedupKey]*seen{}, used: time.Now(), low: known.at.Seq,
	}
	if len(tail) > 0 {
		r.low = tail[0].Seq - 1
	}
	for _, rec := range tail {
		rec.Room = name // which a hand-over leaves out
		r.noteEpoch(rec.Seq, rec.Epoch)
		entry := &seen{record: rec}
		r.window[dedupKey{rec.User, rec.ID}] = entry
		r.remember(entry)
	}
	for u := range p.grace[name] {
		r.show(u, true)
	}
	r.ring = p.server.pool.NewRing(known.at.Seq, source{p, name})
	p.rooms[name] = r
	delete(p.heads, name)
	delete(p.ends, name)
	return r, false, nil
}

// look finds a room's head and newest records: in the log, unless they are known
// from when the partition was opened: only rooms that are open are appended to,
// and whoever deposes us, who may, fences what we would append. The caller has
// the turn.
func (p *part) look(ctx context.Context, name string) (known head, tail []roomlog.Record, err error) {
	log := p.server.opts.Log
	p.mu.Lock()
	known, is := p.heads[name]
	tail = p.ends[name]
	p.mu.Unlock()
	if !is {
		if known.at, known.info, err = log.Head(ctx, p.partition, name); err != nil {
			return head{}, nil, err
		}
	}
	if !endsAt(tail, known.at) {
		tail, err = log.ReadBack(ctx, p.partition, name, known.at.Seq+1, tailRecords, 1<<20)
	}
	return known, tail, err
}

// noteEpoch follows the room's next record.
func (r *room) noteEpoch(seq, epoch uint64) {
	if n := len(r.epochs); n == 0 || r.epochs[n-1].Epoch != epoch {
		r.epochs = append(r.epochs, roomlog.Position{Seq: seq, Epoch: epoch})
	}
}

// epochAt is the epoch of a record, if it is known here.
func (r *room) epochAt(seq uint64) (epoch uint64, known bool) {
	if seq > r.head.Seq {
		return 0, false
	}
	for _, begins := range slices.Backward(r.epochs) {
		if seq >= begins.Seq {
			return begins.Epoch, true
		}
	}
	return 0, false
}

// remember keeps a stored record's entry in the window, and forgets the oldest.
func (r *room) remember(entry *seen) {
	if len(r.order) < windowSize {
		r.order = append(r.order, entry)
	} else {
		old := &r.order[r.oldest].record
		r.low = max(r.low, old.Seq)
		delete(r.window, dedupKey{old.User, old.ID})
		r.order[r.oldest] = entry
		r.oldest = (r.oldest + 1) % windowSize
	}
	if len(r.order) <= tailRecords {
		return
	}
	if old := r.latest(tailRecords); old.dropText() {
		key := dedupKey{old.record.User, old.record.ID}
		delete(r.window, key) // whose id is the old one still
		r.window[key] = old
	}
}

// latest is the i-th newest entry that is remembered; 0: the newest.
func (r *room) latest(i int) *seen { return r.order[(r.oldest-1-i+len(r.order))%len(r.order)] }

// source reads a room's records from the log for a session that is behind.
type source struct {
	part *part
	name string
}

// Records implements fanout.Source.
func (s source) Records(ctx context.Context, after, upTo uint64, maxBytes int) ([]byte, uint64, error) {
	records, err := s.part.server.opts.Log.Read(ctx, s.part.partition, s.name, after+1, int(min(upTo-after, 4096)), maxBytes)
	if err != nil {
		return nil, after, err
	}
	var out []byte
	for i := range records {
		out = appendRecord(out, &records[i])
		after = records[i].Seq
	}
	return out, after, nil
}

// Snapshot implements fanout.Source.
func (s source) Snapshot() []byte {
	s.part.mu.Lock()
	defer s.part.mu.Unlock()
	r := s.part.rooms[s.name]
	if r == nil {
		return nil
	}
	users := r.listing()
	return comms.AppendEvent(nil, comms.PresenceList{Room: s.name, Users: clipUsers(users), Count: len(users)})
}

// appendRecord encodes a record as the event that its readers get.
func appendRecord(dst []byte, r *roomlog.Record) []byte {
	if r.Kind == roomlog.KindTopic {
		return comms.AppendEvent(dst, comms.TopicChanged{Room: r.Room, User: r.User, Topic: r.Content, ID: r.ID, Seq: r.Seq, Epoch: r.Epoch, Time: r.Time})
	}
	return comms.AppendMessage(dst, &comms.UserMessage{Room: r.Room, User: r.User, Content: r.Content, ID: r.ID, Seq: r.Seq, Epoch: r.Epoch, Time: r.Time})
}
