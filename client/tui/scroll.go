package tui

import (
	"context"
	"time"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// loadWithin is how long a page is waited for that a person scrolls to: a slow network
// brings it late, and asked for again it would begin anew.
const loadWithin = 30 * time.Second

// scroll moves by pages of what is on the screen, which share a row.
func (a *app) scroll(pages int) { a.scrollRows(pages * max(1, a.height-1)) }

// scrollRows moves by rows of the screen, positive towards older ones, and loads
// what is missing there. It stops where something is missing, until that is there:
// whoever holds the key would jump over it. The state counts lines; the rows of each
// are known here.
func (a *app) scrollRows(by int) {
	r := a.st.Current()
	if r == nil {
		return
	}
	last := len(r.Lines) - 1
	at := last - r.Scroll // the lowest line shown
	first, end := a.stretch(r, at)
	under := min(r.Under, max(0, a.rowsOf(r, at)-1)) + by
	for under < 0 && at < end {
		at++
		under += a.rowsOf(r, at)
	}
	for at > first && under >= a.rowsOf(r, at) {
		under -= a.rowsOf(r, at)
		at--
	}
	a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll, r.Under = last-at, max(0, under) })
	r = a.settle(a.st.Current())
	first, end = r.Stretch(last - r.Scroll)     // and ask for what is missing, whether it stops anybody or not
	at, near := last-r.Scroll, 2*a.shown+page/4 // soon to be seen
	switch above, below := at-first < near, end-at < near && end < last; {
	case by > 0 && above && first > 0:
		_, to, _ := r.Gap(first)
		a.load(comms.History{Room: r.Name, Before: to + 1, Limit: page})
	case by > 0 && above:
		a.older()
	case by < 0 && below:
		from, _, _ := r.Gap(end + 1)
		a.load(comms.History{Room: r.Name, From: from, Limit: page})
	}
	if r.AtEnd() {
		a.st = a.st.Focus(!a.st.Blurred)
	}
}

// older loads the page above the oldest line.
func (a *app) older() {
	r := a.st.Current()
	if r == nil || r.Oldest() <= 1 {
		return
	}
	a.load(comms.History{Room: r.Name, Before: r.Oldest(), Limit: page})
}

// load fetches a page, one at a time. One that cannot be read is given up some time,
// or no other would be loaded.
func (a *app) load(q comms.History) {
	if !a.reaches(q.Room) || a.st.Room(q.Room).Loading {
		return
	}
	a.st = a.st.Update(q.Room, func(r *state.Room) { r.Loading, r.LoadingSince = true, a.st.Now })
	s := a.session
	a.effect(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, loadWithin)
		defer cancel()
		p, err := s.History(ctx, q)
		return func() {
			a.st = a.st.Update(q.Room, func(r *state.Room) { r.Loading, r.Unloaded = false, err != nil })
			if err != nil {
				a.sayWhy(err)
				return
			}
			a.st = a.st.WithHistory(q.Room, p)
		}
	})
}

// stretch is from which line to which one may scroll from the i-th on. Where nobody
// can be asked for what is missing, or it does not come, it stops nobody from reading
// what is there.
func (a *app) stretch(r *state.Room, i int) (first, last int) {
	late := r.Loading && a.st.Now.Sub(r.LoadingSince) >= answerWithin
	if late || r.Unloaded || !r.Joined || !a.reaches(r.Name) {
		return 0, len(r.Lines) - 1
	}
	return r.Stretch(i)
}

// settle takes a room that is scrolled up beyond the first row that it may show back
// to where that row is the window's first. The window may have been lower when it was
// scrolled, or the line to be shown be one of the first.
func (a *app) settle(r *state.Room) *state.Room {
	if r.AtEnd() {
		return r
	}
	last := len(r.Lines) - 1
	at := last - r.Scroll
	first, end := a.stretch(r, at)
	top := min(first, last) // the lowest line shown there
	rows := a.rowsOf(r, top)
	for top < end && rows < a.height {
		top++
		rows += a.rowsOf(r, top)
	}
	under := max(0, rows-a.height)
	if at > top || at == top && r.Under <= under {
		return r
	}
	a.st = a.st.Update(r.Name, func(r *state.Room) { r.Scroll, r.Under = last-top, under })
	if a.st.Current().AtEnd() {
		a.st = a.st.Focus(!a.st.Blurred)
	}
	return a.st.Current()
}

// rowsOf is how many rows the i-th line takes as it is drawn now; the newest
// with what waits below it.
func (a *app) rowsOf(r *state.Room, i int) (rows int) {
	if a.st.Overlay == state.OverlayBare {
		if i < 0 {
			return 0
		}
		w, _ := a.screen.Size()
		return len(bare(r.Lines[i], w))
	}
	if i >= 0 {
		rows = len(a.line(r, i, a.columns))
	}
	if i == len(r.Lines)-1 {
		for _, l := range r.Waiting {
			rows += len(a.message(l, nil, a.columns))
		}
	}
	return rows
}

func (a *app) newest() {
	if a.st.Current() != nil {
		a.st = a.st.Update(a.st.Active, (*state.Room).ToEnd)
		a.st = a.st.Focus(!a.st.Blurred)
	}
}
