package tui

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// joinAgain is how long a room waits whose shard's clock is wrong.
const joinAgain = 10 * time.Second

// open shows a room, joining it if need be.
func (a *app) open(name string) {
	a.st = a.st.Open(strings.TrimPrefix(name, "#"))
	if a.st.Current() != nil {
		a.join(a.st.Active)
	}
}

func (a *app) openAt(i int) {
	if name := a.st.At(i); name != "" {
		a.open(name)
	} else {
		a.say("you are not in %d rooms; Alt-K finds one", i+1)
	}
}

func (a *app) nextUnread() {
	if name := a.st.NextUnread(); name != "" {
		a.open(name)
	} else {
		a.say("nothing new anywhere")
	}
}

func (a *app) lastRoom() {
	if a.st.Previous != "" {
		a.open(a.st.Previous)
	}
}

// join takes part in a room: what the disk has is shown at once, what was said
// since is fetched behind it, and what waited to be sent goes out.
func (a *app) join(name string) {
	r := a.st.Room(name)
	if r == nil || r.Joined || r.Joining {
		return
	}
	a.loadCache(name)
	if a.session == nil {
		return // logging in joins it
	}
	a.st = a.st.Update(name, func(r *state.Room) { r.Joining = true })
	s := a.session
	a.effect(func(ctx context.Context) func() {
		err := s.Join(ctx, name, nil)
		return func() {
			if err != nil {
				a.st = a.st.Update(name, func(r *state.Room) { r.Joining = false })
				a.refusedRoom(name, err)
			}
		}
	})
}

// wants reports whether a room is to be joined without being asked for.
func (a *app) wants(r *state.Room) bool {
	return r.Place > 0 || r.Name == a.st.Active || len(r.Unposted()) > 0
}

// entered goes on with a room that was joined.
func (a *app) entered(name string) {
	a.st = a.st.Update(name, func(r *state.Room) { r.Joining = false })
	a.submit(name)
	a.fetch(name, comms.History{Room: name, Before: comms.MaxSeq, Limit: page}, func() {})
}

// refusedRoom says why a room cannot be entered, keeps what waited for it as
// failed, and forgets a room that has gone. Who wants to try again says so.
func (a *app) refusedRoom(name string, err error) {
	var refused *client.Refused
	if errors.As(err, &refused) && refused.Code == comms.CodeExpired { // their clocks: nothing is wrong with the room
		a.say("#%s: %v", name, err)
		a.effect(func(ctx context.Context) func() {
			select {
			case <-time.After(joinAgain):
			case <-ctx.Done():
			}
			return func() {
				if r := a.st.Room(name); r != nil && a.wants(r) {
					a.join(name)
				}
			}
		})
		return
	}
	if errors.As(err, &refused) {
		a.st = a.st.FailUnposted(name, refused.Message)
		a.st = a.st.Update(name, func(r *state.Room) { r.Place = 0 })
		if refused.Code == comms.CodeNoRoom {
			before := a.st.Active
			if a.st = a.st.Forget(name); a.st.Active != before {
				a.join(a.st.Active) // else it stays open, refused
			}
			a.say("there is no room #%s; /create %s makes it", name, name)
			return
		}
	}
	a.say("#%s: %v", name, err)
}

// submit gives the session what was written without one, in its order.
func (a *app) submit(name string) {
	for _, l := range a.st.Room(name).Unposted() {
		repost := a.session.Repost
		if l.Topic {
			repost = a.session.RepostTopic
		}
		if err := repost(name, l.Text, l.ID, l.Seen); err != nil {
			a.say("%v", err)
			return
		}
		a.st = a.st.Submitted(name, l.ID, l.Seen)
	}
}

// fetch loads a page of a room's records and merges it.
func (a *app) fetch(name string, q comms.History, then func()) {
	s := a.session
	a.effect(func(ctx context.Context) func() {
		p, err := s.History(ctx, q)
		return func() {
			if err != nil {
				a.say("%v", err)
			} else {
				a.st = a.st.WithHistory(name, p)
			}
			then()
		}
	})
}

// older loads the page above the oldest line.
func (a *app) older() {
	r := a.st.Current()
	if r == nil || r.Loading || r.Oldest() <= 1 || a.session == nil {
		return
	}
	a.load(comms.History{Room: r.Name, Before: r.Oldest(), Limit: page})
}

// load fetches a page, one at a time.
func (a *app) load(q comms.History) {
	a.st = a.st.Update(q.Room, func(r *state.Room) { r.Loading = true })
	a.fetch(q.Room, q, func() {
		a.st = a.st.Update(q.Room, func(r *state.Room) { r.Loading = false })
	})
}

// fill asks for what is missing between the lines of the active room.
func (a *app) fill() {
	r := a.st.Current()
	if r == nil || !r.Joined || r.Joining || a.session == nil || a.filling[r.Name] || len(r.Lines) == 0 {
		return
	}
	from, to, ok := r.Hole()
	if a.sight != [2]uint64{} {
		from, to, ok = a.sight[0], a.sight[1], true
	} else if to-from >= state.Large {
		return // until somebody looks
	}
	if !ok {
		return
	}
	name := r.Name
	a.filling[name] = true
	// Its newest part first, and the line below it: whether that is still what the
	// store has.
	from = max(from-min(from-1, 1), to-min(to-1, page-1))
	a.fetch(name, comms.History{Room: name, From: from, Limit: page}, func() {
		// A server that answers nothing is not asked again at once.
		a.effects.Go(func() {
			select {
			case <-time.After(200 * time.Millisecond):
			case <-a.ctx.Done():
			}
			select {
			case a.results <- func() { delete(a.filling, name) }:
			case <-a.ctx.Done():
			}
		})
	})
}

func (a *app) firstUnread() {
	r := a.st.Current()
	if r == nil || r.Marker == 0 {
		a.say("nothing here is new")
		return
	}
	a.goTo(strconv.FormatUint(r.Marker+1, 10)) // it may not be loaded yet
}

// goTo shows a sequence, or the first message of a day.
func (a *app) goTo(where string) {
	r := a.st.Current()
	if r == nil {
		return
	}
	name, last, s := r.Name, r.Last, a.session
	if seq, err := parseSeq(where); err == nil && r.Has(seq) {
		a.st = a.st.Update(name, func(r *state.Room) { r.ScrollTo(seq + uint64(max(0, a.shown/2))) })
		return
	}
	day, dayErr := time.ParseInLocation("2006-01-02", where, time.Local)
	seq, seqErr := parseSeq(where)
	switch {
	case dayErr != nil && seqErr != nil:
		a.say("/goto takes a message's number or a day as 2026-11-24")
		return
	case last == 0:
		a.say("nothing has been said in #%s yet", name)
		return
	case s == nil:
		a.say("there is no connection to load it by")
		return
	}
	a.effect(func(ctx context.Context) func() {
		if dayErr == nil {
			var err error
			if seq, err = firstOf(ctx, s, name, day.UnixMilli(), last); err != nil {
				return func() { a.say("%v", err) }
			}
		}
		seq := min(max(seq, 1), last)
		p, err := s.History(ctx, comms.History{Room: name, From: seq - min(seq-1, page/2), Limit: page})
		return func() {
			if err != nil {
				a.say("%v", err)
				return
			}
			a.st = a.st.WithHistory(name, p)
			a.st = a.st.Update(name, func(r *state.Room) { r.ScrollTo(seq + uint64(max(0, a.shown/2))) })
		}
	})
}

// firstOf bisects for the first record at or behind a time.
func firstOf(ctx context.Context, s *client.Session, room string, at int64, last uint64) (uint64, error) {
	low, high := uint64(1), last
	for low < high {
		mid := low + (high-low)/2
		p, err := s.History(ctx, comms.History{Room: room, From: mid, Limit: 1})
		if err != nil {
			return 0, err
		}
		if len(p.Records) > 0 && p.Records[0].Time < at {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// search marks a text and shows the newest place that has it; without a text,
// the place before.
func (a *app) search(text string) {
	r := a.st.Current()
	if r == nil {
		return
	}
	from := len(r.Lines) - 1
	if text != "" {
		a.st.Search = text
	} else if a.st.Search == "" {
		a.say("search for what? /search TEXT")
		return
	} else {
		from = len(r.Lines) - 1 - r.Scroll - 1
	}
	want := strings.ToLower(a.st.Search)
	for i := from; i >= 0; i-- {
		if strings.Contains(strings.ToLower(r.Lines[i].Text), want) {
			a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll, r.Under = len(r.Lines)-1-i, 0 })
			return
		}
	}
	a.say("no older message on hand has %q; PgUp loads more", a.st.Search)
}

// maxListed is how many rooms are listed at once; a prefix finds the others.
const maxListed = 2000

func (a *app) listRooms(prefix string) {
	s := a.session
	if s == nil {
		return
	}
	a.effect(func(ctx context.Context) func() {
		rooms, more, err := roomsOf(ctx, s, prefix)
		return func() {
			a.st = a.st.WithRooms(rooms)
			switch {
			case err != nil:
				a.say("%v", err)
			case more:
				a.say("there are more than %d rooms: /list PREFIX finds those of a prefix", len(rooms))
			case prefix != "":
				a.say("%d rooms begin with %s", len(rooms), prefix)
			}
		}
	})
}

// listAgain is how old a list is that is asked for anew.
const listAgain = 10 * time.Second

// relist looks for rooms that others have made: no server tells of them. It says
// nothing, since nobody asked.
func (a *app) relist() {
	s := a.session
	if now := a.opts.Now(); s == nil || a.listing || now.Sub(a.listedAt) < listAgain {
		return
	}
	a.listing = true
	a.effect(func(ctx context.Context) func() {
		rooms, _, err := roomsOf(ctx, s, "")
		return func() {
			a.listing, a.listedAt = false, a.opts.Now()
			if a.st = a.st.WithRooms(rooms); err != nil {
				a.opts.Logger.Warn("list the rooms", "err", err)
			}
		}
	})
}

// roomsOf lists the rooms whose names begin with prefix, and whether there are more.
func roomsOf(ctx context.Context, s *client.Session, prefix string) (rooms []comms.Room, more bool, err error) {
	q := comms.ListRooms{Prefix: prefix}
	for more = true; more && len(rooms) < maxListed; {
		list, err := s.Rooms(ctx, q)
		if err != nil {
			return rooms, false, err
		}
		rooms = append(rooms, list.Rooms...)
		q.After, more = list.Next, list.Next != ""
	}
	return rooms, more, nil
}
