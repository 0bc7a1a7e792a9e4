package tui

import (
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// scroll moves by pages of what is on the screen, which share a row.
func (a *app) scroll(pages int) { a.scrollRows(pages * max(1, a.height-1)) }

// scrollRows moves by rows of the screen, positive towards older ones, and loads
// what is missing there. The state counts lines; the rows of each are known here.
func (a *app) scrollRows(by int) {
	r := a.st.Current()
	if r == nil {
		return
	}
	last := len(r.Lines) - 1
	at := last - r.Scroll // the lowest line shown
	under := min(r.Under, max(0, a.rowsOf(r, at)-1)) + by
	for under < 0 && at < last {
		at++
		under += a.rowsOf(r, at)
	}
	for at > 0 && under >= a.rowsOf(r, at) {
		under -= a.rowsOf(r, at)
		at--
	}
	var more uint64
	a.st = a.st.Update(r.Name, func(r *state.Room) {
		if more = r.ScrollBy(last - at - r.Scroll); more == 0 {
			r.Under = max(0, under)
		}
	})
	r = a.settle(a.st.Current())
	switch {
	case more > 0 && r.Joined && !r.Loading && a.session != nil:
		a.load(comms.History{Room: r.Name, From: more, Limit: page})
	case by > 0 && len(r.Lines)-r.Scroll < 2*a.shown+page/4:
		a.older()
	}
	if r.AtEnd() {
		a.st = a.st.Focus(!a.st.Blurred)
	}
}

// settle takes a room that is scrolled up beyond its first row back to where that
// row is the window's first. The window may have been lower when it was scrolled,
// or the line to be shown be one of the first.
func (a *app) settle(r *state.Room) *state.Room {
	if r.AtEnd() {
		return r
	}
	last := len(r.Lines) - 1
	top := min(0, last) // the lowest line shown there
	rows := a.rowsOf(r, top)
	for top < last && rows < a.height {
		top++
		rows += a.rowsOf(r, top)
	}
	at, under := last-r.Scroll, max(0, rows-a.height)
	if at > top || at == top && r.Under <= under {
		return r
	}
	a.st = a.st.Update(r.Name, func(r *state.Room) {
		if r.ScrollBy(at-top) == 0 {
			r.Under = under
		}
	})
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
