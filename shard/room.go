package shard

import (
	"context"
	"slices"
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
	order   []dedupKey // of the window, as they came; a circle once it is full
	oldest  int        // in order
	low     uint64     // every record above is in the window
	used    time.Time
}

// attendee is what a room knows of a user: none of whom all is zero is kept.
// One map of few bytes each: a crowd that listens is mostly this.
type attendee struct {
	sessions int32 // in the room
	shown    bool  // the members know the user as present
	listed   bool  // named in a reply to a join before the members were told
	changed  bool  // in the room's list of them
}

type dedupKey struct{ user, id string }

// seen is a message known by its client id.
type seen struct {
	record  roomlog.Record // Seq 0 while its commit runs
	looking bool           // being looked for in the log
}

const windowSize = 1024

// Telling who came and went costs a write per member: a room that has told
// waits so long per member before it tells again, so that a crowd that comes at
// once is told in few batches and a small room at once.
const (
	noticeCost   = 2 * time.Millisecond
	maxNoticeGap = 2 * time.Second
)

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
	log := p.server.opts.Log
	at, info, err := log.Head(ctx, p.partition, name)
	if err != nil {
		return nil, false, err
	}
	tail, err := log.ReadBack(ctx, p.partition, name, at.Seq+1, tailRecords, 1<<20)
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
		part: p, name: name, topic: info.Description, head: at, members: map[*session]*seat{}, users: map[string]attendee{},
		window: map[dedupKey]*seen{}, used: time.Now(), low: at.Seq,
	}
	if len(tail) > 0 {
		r.low = tail[0].Seq - 1
	}
	for _, rec := range tail {
		r.noteEpoch(rec.Seq, rec.Epoch)
		key := dedupKey{rec.User, rec.ID}
		r.window[key] = &seen{record: rec}
		r.remember(key)
	}
	for u := range p.grace[name] {
		r.show(u, true)
	}
	r.ring = p.server.pool.NewRing(at.Seq, source{p, name})
	p.rooms[name] = r
	return r, false, nil
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
func (r *room) remember(key dedupKey) {
	if len(r.order) < windowSize {
		r.order = append(r.order, key)
		return
	}
	forgotten := r.order[r.oldest]
	if old := r.window[forgotten]; old != nil && old.record.Seq != 0 {
		r.low = max(r.low, old.record.Seq)
		delete(r.window, forgotten)
	}
	r.order[r.oldest] = key
	r.oldest = (r.oldest + 1) % windowSize
}

// present lists who is there, sorted: by a session, or by the grace that they
// have to come back. The list is the room's: read it before mu is let go of.
func (r *room) present() []string {
	if r.roster == nil {
		r.roster = make([]string, 0, len(r.users)+len(r.part.grace[r.name]))
		for u, a := range r.users {
			if a.sessions > 0 {
				r.roster = append(r.roster, u)
			}
		}
		for u := range r.part.grace[r.name] {
			if r.users[u].sessions == 0 {
				r.roster = append(r.roster, u)
			}
		}
		slices.Sort(r.roster)
	}
	return r.roster
}

func (r *room) isPresent(u string) bool {
	return r.users[u].sessions > 0 || r.part.kept(r.name, u)
}

// know changes what is known of u.
func (r *room) know(u string, a attendee) {
	if a == (attendee{}) {
		delete(r.users, u)
	} else {
		r.users[u] = a
	}
}

// show notes whether the members know u as present.
func (r *room) show(u string, shown bool) {
	a := r.users[u]
	switch {
	case shown && !a.shown:
		r.shown++
	case !shown && a.shown:
		r.shown--
	}
	a.shown = shown
	r.know(u, a)
}

// tellOf puts u on the list of those of whom the members are to be told.
func (r *room) tellOf(u string) {
	if a := r.users[u]; !a.changed {
		a.changed = true
		r.users[u] = a
		r.changed = append(r.changed, u)
	}
}

// told empties that list.
func (r *room) told() {
	for _, u := range r.changed {
		a := r.users[u]
		a.changed, a.listed = false, false
		r.know(u, a)
	}
	r.changed = nil // it was long while a crowd came
}

// noteChange follows a change of whether u is present.
func (r *room) noteChange(u string) {
	r.tellOf(u)
	if r.roster == nil {
		return
	}
	switch i, listed := slices.BinarySearch(r.roster, u); {
	case r.isPresent(u) == listed:
	case listed:
		r.roster = slices.Delete(r.roster, i, i+1)
	default:
		r.roster = slices.Insert(r.roster, i, u)
	}
}

func (r *room) add(sess *session) {
	r.members[sess] = &seat{}
	a := r.users[sess.user]
	a.sessions++
	r.users[sess.user] = a
	if a.sessions == 1 {
		r.part.forgo(r.name, sess.user)
		r.noteChange(sess.user)
	}
}

// remove takes a session out. One that goes without a word may be back at once:
// the others are not told before its user had time for that.
func (r *room) remove(sess *session, brokeOff bool) {
	delete(r.members, sess)
	if at := sess.heardAt(); at.After(r.part.heard) {
		r.part.heard = at
	}
	a := r.users[sess.user]
	a.sessions--
	r.know(sess.user, a)
	switch {
	case a.sessions > 0:
	case brokeOff:
		r.part.keep(r.name, sess.user, time.Now().Add(sess.server.linger))
	default:
		r.part.forgo(r.name, sess.user)
		r.noteChange(sess.user)
	}
	r.used = time.Now()
}

func clipUsers(users []string) []string { return users[:min(len(users), comms.MaxUsersListed)] }

// source reads a room's records from the log for a session that is behind.
type source struct {
	part *part
	name string
}

// Records implements fanout.Source.
func (s source) Records(ctx context.Context, after uint64, maxBytes int) ([]byte, uint64, error) {
	records, err := s.part.server.opts.Log.Read(ctx, s.part.partition, s.name, after+1, 4096, maxBytes)
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
	users := r.present()
	return comms.AppendEvent(nil, comms.PresenceList{Room: s.name, Users: clipUsers(users), Count: len(users)})
}

// appendRecord encodes a record as the event that its readers get.
func appendRecord(dst []byte, r *roomlog.Record) []byte {
	if r.Kind == roomlog.KindTopic {
		return comms.AppendEvent(dst, comms.TopicChanged{Room: r.Room, User: r.User, Topic: r.Content, ID: r.ID, Seq: r.Seq, Epoch: r.Epoch, Time: r.Time})
	}
	return comms.AppendMessage(dst, &comms.UserMessage{Room: r.Room, User: r.User, Content: r.Content, ID: r.ID, Seq: r.Seq, Epoch: r.Epoch, Time: r.Time})
}

// presenceLoop publishes net changes of who is present, at most 4 a second and
// room, ends graces, and forgets rooms that nobody uses.
func (s *Server) presenceLoop(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		parts := make([]*part, 0, len(s.parts))
		for _, p := range s.parts {
			parts = append(parts, p)
		}
		s.mu.Unlock()
		now := time.Now()
		for _, p := range parts {
			for _, ring := range p.presence(now) {
				// Beside the loop: a walk goes on as long as a busy room's
				// committer has more for it, and other rooms have changes too.
				s.wg.Go(ring.Wake)
			}
		}
	}
}

// presence does what is due of a partition and returns the rings that have
// something new.
func (p *part) presence(now time.Time) (rings []*fanout.Ring) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.server.keeper.Fresh(p.partition, p.epoch) {
		return nil // they may have gone to another owner, and be present there
	}
	silent := p.silent
	ended := silent && now.After(p.until)
	if ended {
		p.silent = false
	}
	p.endGraces(now)
	for name, r := range p.rooms {
		switch {
		case silent && !ended:
			continue // nobody knows yet who was there
		case silent:
			users := r.present()
			for u := range r.users {
				r.show(u, r.isPresent(u))
			}
			r.told()
			r.ring.Notice(comms.AppendEvent(nil, comms.PresenceList{Room: name, Users: clipUsers(users), Count: len(users)}))
			rings = append(rings, r.ring)
		case len(r.changed) > 0 && now.After(r.quiet):
			if r.publishPresence() {
				rings = append(rings, r.ring)
				r.quiet = now.Add(min(time.Duration(len(r.members))*noticeCost, maxNoticeGap))
			}
		case len(r.members) == 0 && len(p.grace[name]) == 0 && now.Sub(r.used) > time.Minute && len(p.queue) == 0 && !p.committing:
			delete(p.rooms, name)
		}
	}
	return rings
}

// endGraces lets go of those who have not come back.
func (p *part) endGraces(now time.Time) {
	for name, users := range p.grace {
		r := p.rooms[name]
		for u, until := range users {
			if now.Before(until) {
				continue
			}
			p.forgo(name, u)
			if r != nil {
				r.tellOf(u)
				r.roster = nil
			}
		}
	}
}

// publishPresence tells the members the net change, if there is one.
func (r *room) publishPresence() bool {
	e := comms.Presence{Room: r.name}
	for _, u := range r.changed {
		a := r.users[u]
		switch now := r.isPresent(u); {
		case now && !a.shown:
			e.Joined = append(e.Joined, u)
			r.show(u, true)
		case !now && (a.shown || a.listed):
			e.Left = append(e.Left, u)
			r.show(u, false)
		}
	}
	r.told()
	if len(e.Joined)+len(e.Left) == 0 {
		return false
	}
	slices.Sort(e.Joined)
	slices.Sort(e.Left)
	e.Count = r.shown
	r.ring.Notice(comms.AppendEvent(nil, e))
	return true
}
