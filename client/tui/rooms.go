package tui

import (
	"context"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// open shows a room, joining it if need be.
func (a *app) open(name string) {
	a.st = a.st.Open(strings.TrimPrefix(name, "#"))
	if a.st.Current() != nil {
		a.join(a.st.Active)
	}
}

func (a *app) openAt(i int) {
	if i < len(a.st.Rooms) {
		a.open(a.st.Rooms[i].Name)
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
	if r == nil || r.Joined || r.Joining || a.session == nil {
		return
	}
	if a.profile != nil && len(r.Lines) == 0 {
		if records, head := a.profile.LoadRoom(name); len(records) > 0 {
			a.st = a.st.WithHistory(name, comms.HistoryPage{Room: name, Records: records, Head: head})
		}
	}
	a.st = a.st.Update(name, func(r *state.Room) { r.Joining = true })
	s, waiting := a.session, a.st.Room(name).Waiting
	a.effect(func(ctx context.Context) func() {
		err := s.Join(ctx, name, nil)
		if err == nil {
			for _, l := range waiting {
				if l.Mark == state.Queued {
					err = s.Repost(name, l.Text, l.ID, l.Seen)
				}
			}
		}
		var p comms.HistoryPage
		if err == nil {
			p, err = s.History(ctx, comms.History{Room: name, Before: comms.MaxSeq, Limit: page})
		}
		return func() {
			a.st = a.st.Update(name, func(r *state.Room) { r.Joining = false })
			if err != nil {
				a.say("%v", err)
				return
			}
			a.st = a.st.WithHistory(name, p)
		}
	})
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
	name, before := r.Name, r.Oldest()
	a.st = a.st.Update(name, func(r *state.Room) { r.Loading = true })
	a.fetch(name, comms.History{Room: name, Before: before, Limit: page}, func() {
		a.st = a.st.Update(name, func(r *state.Room) { r.Loading = false })
	})
}

// fill asks for what is missing between the lines of the active room.
func (a *app) fill() {
	r := a.st.Current()
	if r == nil || !r.Joined || r.Joining || a.session == nil || a.filling[r.Name] || len(r.Lines) == 0 {
		return
	}
	from, to, ok := r.Hole()
	if !ok {
		return
	}
	name := r.Name
	a.filling[name] = true
	from = max(from, to-min(to-1, page-1)) // its newest part first
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

// scroll moves by pages of what is on the screen.
func (a *app) scroll(pages int) {
	r := a.st.Current()
	if r == nil {
		return
	}
	by := pages * max(1, a.shown-1)
	a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll = max(0, min(r.Scroll+by, len(r.Lines)-1)) })
	if r = a.st.Current(); pages > 0 && len(r.Lines)-r.Scroll < 2*a.shown+page/4 {
		a.older()
	}
	if r.Scroll == 0 {
		a.st = a.st.Focus(!a.st.Blurred)
	}
}

func (a *app) newest() {
	if r := a.st.Current(); r != nil {
		a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll = 0 })
		a.st = a.st.Focus(!a.st.Blurred)
	}
}

func (a *app) firstUnread() {
	r := a.st.Current()
	if r == nil || r.Marker == 0 {
		a.say("nothing here is new")
		return
	}
	a.st = a.st.Update(r.Name, func(r *state.Room) { r.ScrollTo(r.Marker + uint64(max(1, a.shown/2))) })
}

// goTo shows a sequence, or the first message of a day.
func (a *app) goTo(where string) {
	r := a.st.Current()
	if r == nil || a.session == nil {
		return
	}
	name, last, s := r.Name, r.Last, a.session
	day, dayErr := time.ParseInLocation("2006-01-02", where, time.Local)
	seq, seqErr := parseSeq(where)
	if dayErr != nil && seqErr != nil {
		a.say("/goto takes a message's number or a day as 2026-11-24")
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
			a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll = len(r.Lines) - 1 - i })
			return
		}
	}
	a.say("no older message on hand has %q; PgUp loads more", a.st.Search)
}

func (a *app) listRooms(prefix string) {
	s := a.session
	if s == nil {
		return
	}
	a.effect(func(ctx context.Context) func() {
		list, err := s.Rooms(ctx, comms.ListRooms{Prefix: prefix})
		return func() {
			if err != nil {
				a.say("%v", err)
				return
			}
			a.st = a.st.WithRooms(list.Rooms)
			if prefix != "" {
				a.say("%d rooms begin with %s", len(list.Rooms), prefix)
			}
		}
	})
}
