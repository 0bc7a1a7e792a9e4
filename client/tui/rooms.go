package tui

import (
	"context"
	"errors"
	"fmt"
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
	a.st = a.st.Open(state.RoomName(name))
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

// next opens the room by places further. The only one is open: if it was left,
// that is no wish to be in it again.
func (a *app) next(by int) {
	if name := a.st.Next(by); name != a.st.Active {
		a.open(name)
	}
}

// left goes from a room that was left to where one was before, else to the first
// of the list. The last one stays open, and says how to go on.
func (a *app) left(name string) {
	if name != a.st.Active {
		return
	}
	if r := a.st.Room(a.st.Previous); r != nil && r.Place > 0 {
		a.open(r.Name)
	} else if first := a.st.At(0); first != "" {
		a.open(first)
	} else {
		others := ""
		if key := a.keyOf("palette"); key != "" {
			others = ", " + key + " finds others"
		}
		a.tell(name, fmt.Sprintf("you have left #%s; /join %s opens it again%s", name, name, others))
		return
	}
	a.say("you have left #%s", name)
}

// parted reports whether a room was left, and says so to who speaks in it all
// the same: to be in it again takes a wish of its own.
func (a *app) parted(name string) bool {
	if !a.st.Room(name).Parted {
		return false
	}
	a.say("you have left #%s: /join %s first", name, name)
	return true
}

// join takes part in a room: what the disk has is shown at once, what was said
// since is fetched behind it, and what waited to be sent goes out.
func (a *app) join(name string) {
	r := a.st.Room(name)
	if r == nil || r.In() || r.Joining {
		return
	}
	a.st = a.st.Update(name, func(r *state.Room) { r.Parted = false })
	a.loadCache(name)
	if a.session == nil {
		return // logging in joins it
	}
	a.st = a.st.Join(name)
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
	return r.Place > 0 || r.Name == a.st.Active && !r.Parted || len(r.Unposted()) > 0
}

// entered goes on with a room that was joined.
func (a *app) entered(name string) {
	a.submit(name)
	a.fetch(name, comms.History{Room: name, Before: comms.MaxSeq, Limit: page}, func() {})
}

// refusedRoom says why a room cannot be entered, keeps what waited for it as
// failed, and forgets a room that has gone. Who wants to try again says so.
func (a *app) refusedRoom(name string, err error) {
	var refused *client.RefusedError
	if errors.Is(err, client.ErrLeft) {
		a.apply(client.Left{Room: name}) // no event tells it: it was never joined
		return
	}
	a.st = a.st.Update(name, (*state.Room).Out)
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

// fill asks for what is missing between the lines of the active room.
func (a *app) fill() {
	r := a.st.Current()
	if r == nil || !r.Joined || r.Joining || r.Loading || a.session == nil || a.filling[r.Name] || len(r.Lines) == 0 {
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
			a.deliver(func() { delete(a.filling, name) })
		})
	})
}

func (a *app) firstUnread() {
	var seq uint64
	if a.st, seq = a.st.FirstNew(); seq == 0 {
		a.say("nothing here is new")
		return
	}
	a.goTo(strconv.FormatUint(seq, 10)) // it may not be loaded yet
}

// goTo shows a sequence, or the first message of a day, and reports whether it can.
func (a *app) goTo(where string) bool {
	r := a.st.Current()
	if r == nil {
		return false
	}
	name, last, s := r.Name, r.Last, a.session
	if seq, err := parseSeq(where); err == nil && r.Has(seq) {
		a.show(name, seq)
		return true
	}
	day, dayErr := parseDay(where)
	seq, seqErr := parseSeq(where)
	switch {
	case dayErr != nil && seqErr != nil:
		a.say("%s", gotoTakes)
		return false
	case last == 0:
		a.say("nothing has been said in #%s yet", name)
		return false
	case seqErr == nil && seq > last:
		a.newest()
		a.say("the newest message of #%s is #%d", name, last)
		return true
	case !a.reaches(name):
		a.say("there is no connection to load it by")
		return false
	}
	asked := a.pressed
	a.effect(func(ctx context.Context) func() {
		history := within(ctx, s.History)
		if dayErr == nil {
			var err error
			if seq, err = firstOf(history, name, day.UnixMilli(), last); err != nil {
				return func() { a.sayWhy(err) }
			}
		}
		seq := min(max(seq, 1), last)
		p, err := history(comms.History{Room: name, From: seq - min(seq-1, page/2), Limit: page})
		return func() {
			if err != nil {
				a.sayWhy(err)
				return
			}
			a.st = a.st.WithHistory(name, p)
			if a.pressed != asked {
				a.say("#%s: /goto %s shows it now", name, where)
				return
			}
			a.show(name, seq)
		}
	})
	return true
}

// show puts a record that is there into the middle of the screen.
func (a *app) show(name string, seq uint64) {
	a.st = a.st.Update(name, func(r *state.Room) { r.ScrollTo(seq, a.shown/2) })
	a.st = a.st.Focus(!a.st.Blurred) // it may be the end
}

// within asks for pages of history, each of which a person waits for.
func within(ctx context.Context, history func(context.Context, comms.History) (comms.HistoryPage, error)) func(comms.History) (comms.HistoryPage, error) {
	return func(q comms.History) (comms.HistoryPage, error) {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		return history(ctx, q)
	}
}

// firstOf bisects for the first record at or behind a time.
func firstOf(history func(comms.History) (comms.HistoryPage, error), room string, at int64, last uint64) (uint64, error) {
	low, high := uint64(1), last
	for low < high {
		mid := low + (high-low)/2
		p, err := history(comms.History{Room: room, From: mid, Limit: 1})
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

// search marks a text and shows the newest message or topic that has it; without
// a text, the one before. Answers to commands only repeat what was said.
// It reports whether it knows what to search for.
func (a *app) search(text string) bool {
	r := a.st.Current()
	if r == nil {
		return false
	}
	from := len(r.Lines) - 1
	if text != "" {
		a.st.Search = text
	} else if a.st.Search == "" {
		a.say("search for what? /search TEXT")
		return false
	} else {
		from = a.foundAt(r) - 1
	}
	want := strings.ToLower(a.st.Search)
	for i := from; i >= 0; i-- {
		if l := r.Lines[i]; l.Seq != 0 && strings.Contains(strings.ToLower(l.Text), want) {
			a.found = l
			a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll, r.Under = len(r.Lines)-1-i, 0 })
			return true
		}
	}
	switch {
	case !r.Whole():
		a.say("no older message on hand has %q; PgUp loads more", a.st.Search)
	case text != "":
		a.say("nothing in #%s has %q", r.Name, text)
	default:
		a.say("no older message in #%s has %q", r.Name, a.st.Search)
	}
	return true
}

// foundAt is where the line stands that a search has found last, if it is on the
// screen, else the lowest one there: where the room begins they are not the same.
func (a *app) foundAt(r *state.Room) int {
	lowest := len(r.Lines) - 1 - r.Scroll
	for i := lowest; i >= 0 && i > lowest-a.shown; i-- {
		if l := r.Lines[i]; l.Seq == a.found.Seq && l.After == a.found.After && l.Time.Equal(a.found.Time) {
			return i
		}
	}
	return lowest
}
