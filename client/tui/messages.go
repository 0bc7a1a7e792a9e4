package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"positivity-exchange/client/state"
)

// row is one screen line of the conversation.
type row struct {
	time, name, mark string
	author           string // of the message, at each of its rows
	cells            []cell
	rule             string // a rule with this word instead
	style            tcell.Style
}

// columns says where the parts of a message stand.
type columns struct {
	time, name, text, measure int // columns; measure is the text's width
}

// authorsOf is how many lines back authors count for the width of their column.
const authorsOf = 200

// layout gives names as much room as those who spoke lately need, so that it
// changes only when somebody speaks. Numbers have as much as the room's highest.
func layout(r *state.Room, user string, width int, numbers bool) columns {
	c := columns{time: 6, name: 13}
	if width < narrow-roomPane {
		c = columns{name: 10} // no times in a narrow window
	}
	if width < 30 {
		c = columns{name: 6}
	}
	if numbers {
		c.time = max(c.time, len(strconv.FormatUint(r.Last, 10))+1)
	}
	longest := uniseg.StringWidth(user)
	for _, l := range r.Lines[max(0, len(r.Lines)-authorsOf):] {
		if longest >= c.name-1 {
			break
		}
		longest = max(longest, uniseg.StringWidth(oneLine(l.User)))
	}
	c.name = min(c.name, longest+1)
	c.text = 1 + c.time + c.name
	c.measure = max(1, min(width-c.text-3, maxMeasure))
	return c
}

// drawLines draws the end of the conversation (or what is scrolled to) so that
// its newest line stands at the bottom.
func (a *app) drawLines(r *state.Room, x, y, width, height int) {
	a.shown, a.sight, a.height = 0, [2]uint64{}, height
	if width < 8 || height < 1 {
		return
	}
	c := layout(r, a.st.User, width, a.numbers)
	a.columns = c
	r = a.settle(r)
	rows := a.rows(r, c, height)
	if len(rows) == 0 && r.Joined && r.Last == 0 {
		a.put(x+c.text, y+height-1, c.measure, a.look.dim, "nobody has said anything yet")
	}
	rows = rows[max(0, len(rows)-height):]
	if len(rows) > 0 && rows[0].name == "" {
		rows[0].name = rows[0].author // it stands further up, out of sight
	}
	for i, one := range rows {
		y := y + height - len(rows) + i
		if one.rule != "" {
			a.rule(x+1, y, min(width-2, c.text+c.measure+2), one.style, one.rule)
			continue
		}
		a.put(x+1, y, c.time, a.look.dim, one.time)
		name := shorten(one.name, c.name-1)
		a.put(x+c.text-1-uniseg.StringWidth(name), y, c.name, a.look.name(one.name), name)
		a.putCells(x+c.text, y, c.measure, one.cells)
		style := a.look.dim
		if one.mark == string(state.Failed) {
			style = a.look.bad
		}
		a.put(x+c.text+c.measure+1, y, 1, style, one.mark)
	}
}

// rows lays lines out from the bottom up until height rows are full. Of the
// lowest line shown, with what waits below it, one row stays at least: in a
// wider window it may have fewer than are to be hidden.
func (a *app) rows(r *state.Room, c columns, height int) []row {
	bottom := len(r.Lines) - 1 - r.Scroll
	var blocks [][]row
	total, hidden := 0, r.Under
	take := func(block []row) {
		blocks = append(blocks, block)
		total += len(block)
	}
	if r.Scroll == 0 {
		for i := len(r.Waiting) - 1; i >= 0 && total < height+hidden; i-- {
			var above *state.Line
			if i > 0 {
				above = &r.Waiting[i-1]
			} else if bottom >= 0 {
				above = &r.Lines[bottom]
			}
			take(a.message(r.Waiting[i], above, c))
		}
	}
	for i := bottom; i >= 0 && total < height+hidden; i-- {
		take(a.line(r, i, c))
		if from, to, gap := r.Gap(i); gap {
			a.sight = [2]uint64{from, to}
		}
		if i == bottom {
			hidden = min(hidden, total-1)
		}
		a.shown++
	}
	rows := make([]row, 0, total)
	for i := len(blocks) - 1; i >= 0; i-- {
		rows = append(rows, blocks[i]...)
	}
	return rows[:max(min(1, total), total-hidden)]
}

// line lays the i-th line out, with what stands between it and the one above.
func (a *app) line(r *state.Room, i int, c columns) (rows []row) {
	l := r.Lines[i]
	var above *state.Line
	if i > 0 {
		above = &r.Lines[i-1]
	}
	if above == nil || !sameDay(above.Time, l.Time) {
		day := "Monday 2 January"
		if l.Time.Year() != a.st.Now.Year() {
			day += " 2006"
		}
		rows = append(rows, row{rule: l.Time.Format(day), style: a.look.dim})
	}
	if from, to, gap := r.Gap(i); gap {
		what := "missing, asking for them"
		if !a.st.Asks(r) {
			what = "not loaded"
		} else if to-from+1 >= state.Large {
			what = "more between, loading as you scroll"
		}
		rows = append(rows, row{rule: fmt.Sprintf("%d %s", to-from+1, what), style: a.look.warn})
	}
	if r.New > 0 && l.Seq > r.Marker && (above == nil || above.Place() <= r.Marker) {
		rows = append(rows, row{rule: fmt.Sprintf("%d new", r.New), style: a.look.warn})
		above = nil // the author's name stands again
	}
	return append(rows, a.message(l, above, c)...)
}

// message lays out what one line says.
func (a *app) message(l state.Line, above *state.Line, c columns) (rows []row) {
	switch l.Kind {
	case state.LineCut:
		return []row{{rule: Clean(l.Text), style: a.look.warn}}
	case state.LinePresence:
		return a.notice(oneLine(l.PresenceText()), "", a.when(l, above, c), c)
	case state.LineNotice:
		search := ""
		if l.Seq != 0 { // a topic, which is looked through
			search = a.st.Search
		}
		return a.notice(oneLine(l.Text), search, a.when(l, above, c), c)
	}
	run := above != nil && above.Kind == state.LineMessage && above.User == l.User && sameDay(above.Time, l.Time)
	text, base := Clean(l.Text), a.look.plain
	name := oneLine(l.User)
	if strings.TrimSpace(text) == "" {
		text, base = "(blank)", a.look.dim // an empty row looks like a fault
	}
	if what, ok := strings.CutPrefix(text, "/me "); ok {
		text, base, run = name+" "+what, a.look.plain.Italic(true), false
		name = "*"
	}
	if l.Topic {
		text, base, run = name+" sets the topic: "+text, a.look.plain.Italic(true), false
		name = "*"
	}
	if !l.Mine && state.Mentions(l.Text, a.st.User) {
		base = a.look.mention
	}
	if l.Reason != "" {
		again := "/retry"
		if key := a.keyOf("retry"); key != "" {
			again = key
		}
		text += "\n(" + oneLine(l.Reason) + "; " + again + " sends it again, /discard forgets it)"
	}
	for i, cells := range wrapCells(a.look.styled(text, base, l.Seq, a.st.Search), c.measure) {
		one := row{cells: cells, author: oneLine(l.User)}
		if i == 0 {
			one.time = a.when(l, above, c)
			if !run {
				one.name = name
			}
			if mark := a.st.MarkShown(l); mark != 0 {
				one.mark = string(mark)
			}
		}
		rows = append(rows, one)
	}
	return rows
}

// when is the time of a line, or its number, where they are asked for. A time is
// shown once a minute: not where the line above has the same one. A rule has none.
func (a *app) when(l state.Line, above *state.Line, c columns) string {
	switch {
	case a.numbers && l.Seq != 0:
		return fmt.Sprintf("%*d", c.time-1, l.Seq)
	case c.time < len("15:04 "): // there is none, or for numbers alone
		return ""
	case above != nil && above.Kind != state.LineCut && above.Time.Truncate(time.Minute).Equal(l.Time.Truncate(time.Minute)):
		return ""
	}
	return l.Time.Format("15:04")
}

func (a *app) notice(text, search, when string, c columns) (rows []row) {
	for _, cells := range wrapCells(a.look.styled(text, a.look.dim, 0, search), c.measure) {
		rows = append(rows, row{time: when, cells: cells})
		when = ""
	}
	return rows
}

func sameDay(a, b time.Time) bool { return a.YearDay() == b.YearDay() && a.Year() == b.Year() }
