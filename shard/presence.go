package shard

import (
	"context"
	"slices"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/fanout"
)

// attendee is what a room knows of a user: none of whom all is zero is kept.
// One map of few bytes each: a crowd that listens is mostly this.
type attendee struct {
	sessions int32 // in the room
	shown    bool  // the members know the user as present
	listed   bool  // named in a list before the members were told
	omitted  bool  // left out of one before the members were told
	changed  bool  // in the room's list of them
}

// Telling who came and went costs a write per member: a room that has told
// waits so long per member before it tells again, so that a crowd that comes at
// once is told in few batches and a small room at once.
const (
	noticeCost   = 2 * time.Millisecond
	maxNoticeGap = 2 * time.Second
)

// restEvery is how often rings are asked whether they may rest: in which nothing
// is said keeps up to a megabyte for twice as long at most.
const restEvery = 30 * time.Second

// keep lets a user count as present in a room without a session until then.
func (p *part) keep(room, user string, until time.Time) {
	if p.grace[room] == nil {
		p.grace[room] = map[string]time.Time{}
	}
	p.grace[room][user] = until
}

// endGrace ends that.
func (p *part) endGrace(room, user string) {
	delete(p.grace[room], user)
	if len(p.grace[room]) == 0 {
		delete(p.grace, room)
	}
}

// kept tells whether a user counts as present so.
func (p *part) kept(room, user string) bool {
	_, is := p.grace[room][user]
	return is
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

// listing is present for a session that joins now. It may show changes that the
// members have not been told of; each is marked, so that this session is told even
// if the change is undone before.
func (r *room) listing() []string {
	for _, u := range r.changed {
		a, present := r.users[u], r.isPresent(u)
		a.listed, a.omitted = a.listed || present, a.omitted || !present
		r.users[u] = a
	}
	return r.present()
}

// clearChanges follows the news of all changes: the members know them.
func (r *room) clearChanges() {
	for _, u := range r.changed {
		a := r.users[u]
		a.changed, a.listed, a.omitted = false, false, false
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
		r.part.endGrace(r.name, sess.user)
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
		r.part.endGrace(r.name, sess.user)
		r.noteChange(sess.user)
	}
	r.used = time.Now()
}

func clipUsers(users []string) []string { return users[:min(len(users), comms.MaxUsersListed)] }

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
		for _, p := range parts {
			for _, ring := range p.presence(time.Now()) {
				ring.Wake()
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
	if now.Sub(p.since) > headsFor {
		clear(p.heads)
	}
	for name := range p.ends {
		if p.grace[name] == nil { // nobody is to come: whoever does reads the log
			delete(p.ends, name)
		}
	}
	rest := now.After(p.rest)
	if rest {
		p.rest = now.Add(restEvery)
	}
	for name, r := range p.rooms {
		if rest {
			r.ring.Rest()
		}
		switch {
		case silent && !ended:
			continue // nobody knows yet who was there
		case silent:
			users := r.present()
			for u := range r.users {
				r.show(u, r.isPresent(u))
			}
			r.clearChanges()
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
			p.endGrace(name, u)
			if r != nil {
				r.tellOf(u)
				r.roster = nil
			}
		}
	}
}

// publishPresence tells the members the net change, if there is one. More names
// than a list may have go in several notices.
func (r *room) publishPresence() (published bool) {
	var e comms.Presence
	publish := func() {
		if len(e.Joined)+len(e.Left) > 0 {
			e.Room, e.Count = r.name, r.shown
			r.ring.Notice(comms.AppendEvent(nil, e))
			e, published = comms.Presence{}, true
		}
	}
	slices.Sort(r.changed)
	for _, u := range r.changed {
		a := r.users[u]
		switch now := r.isPresent(u); {
		case now && (!a.shown || a.omitted):
			e.Joined = append(e.Joined, u)
			r.show(u, true)
		case !now && (a.shown || a.listed):
			e.Left = append(e.Left, u)
			r.show(u, false)
		}
		if len(e.Joined)+len(e.Left) == comms.MaxUsersListed {
			publish()
		}
	}
	publish()
	r.clearChanges()
	return published
}
