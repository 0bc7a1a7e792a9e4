package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

const (
	roomPane   = 18  // columns of the room list
	peoplePane = 20  // columns of the people pane
	wide       = 120 // from here on people have a pane
	narrow     = 60  // below, the room list folds away
	maxMeasure = 100 // columns of a message's text at most
	maxInput   = 6   // rows of the input at most
)

// put writes s from (x, y) within width columns, by grapheme cluster, and
// returns the column behind it.
func (a *app) put(x, y, width int, style tcell.Style, s string) int {
	end := x + width
	for g := uniseg.NewGraphemes(s); g.Next() && x < end; {
		w := g.Width()
		if w == 0 {
			continue
		}
		if x+w > end {
			break
		}
		a.canvas.set(x, y, w, g.Runes(), style)
		x += w
	}
	return x
}

func (a *app) putCells(x, y, width int, cells []cell) {
	end := x + width
	for _, c := range cells {
		if c.width == 0 {
			continue
		}
		if x+c.width > end {
			return
		}
		a.canvas.set(x, y, c.width, []rune(c.text), c.style)
		x += c.width
	}
}

// rule draws a line with a word in its middle.
func (a *app) rule(x, y, width int, style tcell.Style, word string) {
	for i := range width {
		a.canvas.set(x+i, y, 1, []rune{'─'}, style)
	}
	if word != "" {
		word = " " + shorten(word, max(1, width-4)) + " "
		a.put(x+max(0, (width-uniseg.StringWidth(word))/2), y, width, style, word)
	}
}

func (a *app) draw() {
	w, h := a.screen.Size()
	a.canvas.begin(w, h)
	switch {
	case w < 1 || h < 1:
	case a.st.Page == state.PageConnect:
		a.drawConnect(w, h)
	case a.st.Overlay == state.OverlayHelp:
		a.drawHelp(w, h)
	case a.st.Overlay == state.OverlayBare:
		a.drawBare(w, h)
	case a.st.Overlay == state.OverlayPreview:
		a.drawPreview(w, h)
	default:
		a.drawChat(w, h)
	}
	a.canvas.end(a.screen)
}

func (a *app) drawChat(w, h int) {
	r := a.st.Current()
	if r == nil {
		a.put(1, 0, w-1, a.look.plain, a.st.Notice)
		return
	}
	left, right := 0, 0
	if w >= narrow {
		left = roomPane
	}
	if w >= wide {
		right = peoplePane
	}
	a.drawHeader(r, w)
	prompt := shorten(a.st.User, 12) + " ▸ "
	if w < narrow {
		prompt = "▸ "
	}
	from := 1 + uniseg.StringWidth(prompt)
	input, row, column := wrapRaw(Clean(r.Draft.String()), max(1, w-from-1), len(Clean(r.Draft.Before())))
	rows := max(1, min(maxInput, h-4))
	top := max(0, row+1-rows) // the cursor's row stays in sight
	input = input[top:min(len(input), top+rows)]
	statusRows := h - 3 - len(input)
	bottom := h - 1 - len(a.statusRows(r, w, statusRows)) - len(input) // the row of the rule
	if left > 0 {
		a.drawRooms(left, bottom)
	}
	if right > 0 {
		a.drawPeople(r, w-right, right, bottom)
	}
	a.drawLines(r, left, 1, w-left-right, bottom-1)
	if a.st.Overlay == state.OverlayPalette {
		a.drawPalette(w, bottom)
	}
	counter := ""
	if n := len(r.Draft.String()); n > comms.MaxContent*9/10 {
		counter = fmt.Sprintf("%d of %d bytes", n, comms.MaxContent)
	}
	a.rule(0, bottom, w, a.look.dim, counter)
	if left > 0 && bottom > 0 {
		a.canvas.set(left-1, bottom, 1, []rune{'┴'}, a.look.dim)
	}
	if right > 0 && bottom > 0 {
		a.canvas.set(w-right, bottom, 1, []rune{'┴'}, a.look.dim)
	}
	if a.st.Overlay == state.OverlayPalette {
		x := a.put(1, bottom+1, w-1, a.look.bold, "▸ ")
		query, at := window(a.st.Palette.Query, w-x)
		a.put(x, bottom+1, w-x, a.look.plain, query)
		a.canvas.show(min(x+at, w-1), bottom+1)
	} else {
		a.put(1, bottom+1, w-1, a.look.name(a.st.User), prompt)
		for i, line := range input {
			a.put(from, bottom+1+i, w-from, a.look.plain, line)
		}
		a.canvas.show(min(w-1, from+column), bottom+1+row-top)
	}
	// Drawing the lines may have changed how many are below them, and what is read.
	a.drawStatus(a.statusRows(a.st.Current(), w, statusRows), w, h)
}

func (a *app) drawHeader(r *state.Room, w int) {
	count := ""
	if r.Joined { // else nobody knows
		count = fmt.Sprintf("%d here ", r.Count)
	}
	if w < narrow {
		count = ""
		unread, mentions, _ := a.st.Totals()
		if mentions > 0 {
			count = fmt.Sprintf("@%d ", mentions)
		}
		if unread > 0 {
			count += fmt.Sprintf("+%d ", unread)
		}
	}
	end := w - 1 - len(count) // and a blank before the count
	x := a.put(1, 0, end-1, a.look.bold, shorten("#"+r.Name, end-1)) + 2
	a.put(x, 0, end-x, a.look.dim, shorten(oneLine(r.Description), end-x))
	a.put(w-len(count), 0, len(count), a.look.plain, count)
}

// drawRooms lists rooms in the rows above bottom. Where there are more, the first
// and the last row say so.
func (a *app) drawRooms(width, bottom int) {
	for y := 1; y < bottom; y++ {
		a.canvas.set(width-1, y, 1, []rune{'│'}, a.look.dim)
	}
	active := slices.IndexFunc(a.st.Rooms, func(r *state.Room) bool { return r.Name == a.st.Active })
	first, shown := listed(len(a.st.Rooms), bottom-1, active)
	a.listed = []string{""} // the header's row
	more := func(arrow string, n int) {
		if n > 0 && bottom > minCounted {
			a.put(1, len(a.listed), width-3, a.look.dim, fmt.Sprintf("%s %d more", arrow, n))
			a.listed = append(a.listed, "")
		}
	}
	more("↑", first)
	for _, r := range a.st.Rooms[first : first+shown] {
		style := a.look.plain
		switch {
		case r.Name == a.st.Active:
			style = a.look.chosen
		case r.Mentions > 0:
			style = a.look.mention
		case r.Unread > 0 && r.Level != state.NotifyNone:
			style = a.look.bold
		case r.Place == 0:
			style = a.look.dim
		}
		badge := r.Badge()
		room := width - 3 - uniseg.StringWidth(badge)
		a.put(1, len(a.listed), room, style, shorten(r.Name, room))
		a.put(width-2-uniseg.StringWidth(badge), len(a.listed), len(badge), a.look.bold, badge)
		a.listed = append(a.listed, r.Name)
	}
	more("↓", len(a.st.Rooms)-first-shown)
}

// minCounted is how many rows the list has at least that says what is out of sight.
const minCounted = 4

// listed is which of n rooms stand in so many rows, so that the active one is in
// sight and there is a row for what is above, and one for what is below.
func listed(n, rows, active int) (first, shown int) {
	switch {
	case n <= rows:
		return 0, n
	case rows < minCounted:
		return max(0, min(active, active-rows+1)), max(0, rows)
	case active < rows-1:
		return 0, rows - 1
	}
	first = min(active-rows+3, n-rows+1)
	if n-first == rows-1 {
		return first, rows - 1 // its end
	}
	return first, rows - 2
}

func (a *app) drawPeople(r *state.Room, x, width, bottom int) {
	for y := 1; y < bottom; y++ {
		a.canvas.set(x, y, 1, []rune{'│'}, a.look.dim)
	}
	people := r.People()
	for i, u := range people {
		if y := 1 + i; y == bottom-2 && len(people) > i+1 {
			a.put(x+2, y, width-2, a.look.dim, fmt.Sprintf("and %d more", r.Count-i))
			return
		} else if y < bottom-1 {
			a.put(x+2, y, width-2, a.look.name(u), oneLine(u))
		}
	}
}

// statusRows is what the status line says, in at most rows lines (a notice may
// need several; what is always there is cut to one).
func (a *app) statusRows(r *state.Room, w, rows int) []string {
	width := max(1, w-len(statusHelp)-2)
	if a.elsewhere { // whatever else is said: no other key does anything
		lines := wrap(a.st.Notice, width)
		return append(lines[:max(0, min(len(lines), rows-1, maxNotice-1))], shorten("Enter goes on; what you type before is dropped", width))
	}
	if a.st.Notice != "" {
		lines := wrap(a.st.Notice, width)
		return lines[:max(1, min(len(lines), rows, maxNotice))]
	}
	text := a.st.Status(r, width, w < narrow)
	hint := ""
	if w < narrow {
		hint = a.hint("palette", "rooms")
	} else if _, mentions, rooms := a.st.Totals(); mentions+rooms > 0 {
		hint = a.hint("next-unread", "next")
	}
	if with := strings.TrimPrefix(text+hint, " · "); uniseg.StringWidth(with) <= width {
		text = with
	}
	return []string{shorten(oneLine(text), width)}
}

// passing is what is on the screen that changes by time alone.
func (a *app) passing() string {
	r := a.st.Current()
	switch {
	case a.st.Page != state.PageChat || r == nil:
		return ""
	case a.st.Overlay == state.OverlayHelp:
		return a.st.Online()
	}
	w, _ := a.screen.Size()
	var marks []rune
	for i := len(r.Lines) - 1 - r.Scroll; i >= 0 && i >= len(r.Lines)-r.Scroll-a.shown; i-- {
		marks = append(marks, a.st.MarkShown(r.Lines[i]))
	}
	for _, l := range r.Waiting {
		marks = append(marks, a.st.MarkShown(l))
	}
	return strings.Join(a.statusRows(r, w, maxNotice), "\n") + string(marks)
}

// fade takes a notice away once there was time to read it, as the next key would:
// it hides the status. Time does not pass for it while nobody looks, or it is not
// drawn.
func (a *app) fade() {
	w, _ := a.screen.Size()
	drawn := a.st.Page == state.PageChat && (a.st.Overlay == state.OverlayNone || a.st.Overlay == state.OverlayPalette)
	switch {
	case a.st.Notice == "", !drawn, a.st.Blurred, a.suspended, a.elsewhere:
		a.noticed = time.Time{}
	case a.noticed.IsZero():
		a.noticed = a.opts.Now()
	case a.opts.Now().Sub(a.noticed) >= noticeFor*time.Duration(len(a.statusRows(a.st.Current(), w, maxNotice))):
		a.st.Notice, a.noticed = "", time.Time{}
	}
}

// hint names the key of an action, as it is bound.
func (a *app) hint(name, does string) string {
	if key := a.keyOf(name); key != "" {
		return " · " + key + " " + does
	}
	return ""
}

const (
	statusHelp = "? help "
	maxNotice  = 4
	noticeFor  = 8 * time.Second // for each of its rows
)

func (a *app) drawStatus(lines []string, w, h int) {
	style := a.look.dim
	if a.st.Notice != "" {
		style = a.look.warn
	}
	for i, line := range lines {
		a.put(1, h-len(lines)+i, w-len(statusHelp)-2, style, line)
	}
	a.put(w-len(statusHelp), h-1, len(statusHelp), a.look.dim, statusHelp)
}
