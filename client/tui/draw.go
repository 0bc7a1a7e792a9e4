package tui

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"positivity-exchange/client/state"
)

var plain = tcell.StyleDefault

const (
	roomPane   = 18  // columns of the room list
	peoplePane = 20  // columns of the people pane
	wide       = 100 // from here on people have a pane
	narrow     = 60  // below, the room list folds away
	markAfter  = 300 * time.Millisecond
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
		runes := g.Runes()
		a.screen.SetContent(x, y, runes[0], runes[1:], style)
		x += w
	}
	return x
}

func (a *app) rule(x, y, width int) {
	for i := range width {
		a.screen.SetContent(x+i, y, '─', nil, plain.Dim(true))
	}
}

// colour is a name's own, of the ANSI colours that are readable on dark and light.
func colour(name string) tcell.Style {
	palette := [...]tcell.Color{tcell.ColorTeal, tcell.ColorGreen, tcell.ColorOlive, tcell.ColorBlue, tcell.ColorPurple, tcell.ColorMaroon}
	h := fnv.New32a()
	h.Write([]byte(name)) //nolint:errcheck // never fails
	return plain.Foreground(palette[h.Sum32()%uint32(len(palette))])
}

func (a *app) draw() {
	a.screen.Clear()
	a.screen.HideCursor()
	w, h := a.screen.Size()
	switch {
	case w < 1 || h < 1:
	case a.help:
		a.drawHelp(w)
	case a.st.Page == state.PageConnect:
		a.drawConnect(w)
	default:
		a.drawChat(w, h)
	}
	a.screen.Show()
}

func (a *app) drawConnect(w int) {
	c := a.st.Connect
	a.put(3, 1, w-3, plain.Bold(true), "Positivity Exchange")
	for i, line := range []struct{ label, value string }{{"router", c.Router}, {"name", c.Name}} {
		a.put(3, 3+i, w-3, plain.Dim(true), line.label)
		x := a.put(12, 3+i, w-12, plain, Clean(line.value))
		if c.Field == i {
			a.screen.ShowCursor(x, 3+i)
		}
	}
	a.put(3, 6, w-3, plain.Dim(true), "Enter connects · Tab next field · Esc quits · px up starts a cluster on this machine")
	if c.Busy {
		a.put(3, 7, w-3, plain, "connecting")
	} else {
		a.put(3, 7, w-3, plain.Foreground(tcell.ColorMaroon), Clean(c.Error))
	}
}

var helpLines = []string{
	"Enter sends        Alt-Enter new line      PgUp PgDn scroll",
	"Ctrl-N Ctrl-P      next, previous room     Alt-1..9 room by place",
	"Alt-A              next unread room        F1 or ? this help",
	"Ctrl-A E U K W     edit the line           Ctrl-C clears, then quits",
	"",
	"/join ROOM  /part  /create ROOM [DESCRIPTION]  /topic TEXT",
	"/names  /where  /list  /help  /quit    // sends a slash",
	"",
	"Marks on your own: · queued  ✓ stored  ! failed",
}

func (a *app) drawHelp(w int) {
	a.put(2, 1, w-2, plain.Bold(true), "Help")
	for i, line := range helpLines {
		a.put(2, 3+i, w-2, plain, line)
	}
	a.put(2, 4+len(helpLines), w-2, plain.Dim(true), "any key closes")
}

func (a *app) drawChat(w, h int) {
	r := a.st.Room(a.st.Active)
	if r == nil {
		a.put(1, 0, w-1, plain, a.st.Notice)
		return
	}
	left, right := 0, 0
	if w >= narrow {
		left = roomPane
	}
	if w >= wide {
		right = peoplePane
	}
	count := fmt.Sprintf("%d here ", r.Count)
	x := a.put(1, 0, w-1, plain.Bold(true), "#"+r.Name)
	a.put(x+2, 0, w-x-3-len(count), plain.Dim(true), Clean(r.Description))
	a.put(w-len(count), 0, len(count), plain, count)

	input := wrap(Clean(r.Draft.String()), max(1, w-len([]rune(a.st.User))-5))
	input = input[max(0, len(input)-5):]
	bottom := h - 2 - len(input) // the row of the rule
	if left > 0 {
		a.drawRooms(left, bottom)
	}
	if right > 0 {
		a.drawPeople(r, w-right, right, bottom)
	}
	a.drawLines(r, left, 1, w-left-right, bottom-1)
	a.rule(0, bottom, w)
	a.drawInput(r, input, bottom+1, w)
	a.drawStatus(r, w, h-1)
}

func (a *app) drawRooms(width, bottom int) {
	first := 0
	for i, r := range a.st.Rooms {
		if r.Name == a.st.Active && i >= bottom-1 {
			first = min(i, i-bottom+2) // the active one stays in sight
		}
	}
	for i, r := range a.st.Rooms[first:] {
		y := 1 + i
		if y >= bottom {
			break
		}
		style := plain
		switch {
		case r.Name == a.st.Active:
			style = style.Reverse(true)
		case r.Unread > 0:
			style = style.Bold(true)
		case !r.Joined:
			style = style.Dim(true)
		}
		badge := ""
		if r.Unread > 0 {
			badge = fmt.Sprint(min(r.Unread, 999))
			if r.Mention {
				badge = "@" + badge
			}
		}
		a.put(1, y, width-3-len(badge), style, r.Name)
		a.put(width-2-len(badge), y, len(badge), plain.Bold(true), badge)
	}
	for y := 1; y < bottom; y++ {
		a.screen.SetContent(width-1, y, '│', nil, plain.Dim(true))
	}
}

func (a *app) drawPeople(r *state.Room, x, width, bottom int) {
	for y := 1; y < bottom; y++ {
		a.screen.SetContent(x, y, '│', nil, plain.Dim(true))
	}
	for i, u := range r.People() {
		if 1+i >= bottom {
			break
		}
		a.put(x+2, 1+i, width-2, colour(u), u)
	}
}

func (a *app) drawInput(r *state.Room, input []string, y, w int) {
	x := a.put(1, y, w-1, colour(a.st.User), a.st.User)
	x = a.put(x+1, y, w-x-1, plain, "▸ ")
	for i, line := range input {
		a.put(x, y+i, w-x, plain, line)
	}
	before := wrap(Clean(r.Draft.Before()), max(1, w-x))
	a.screen.ShowCursor(min(w-1, x+uniseg.StringWidth(before[len(before)-1])), y+min(len(before), len(input))-1)
}

func (a *app) drawStatus(r *state.Room, w, y int) {
	const help = "? help "
	text := a.st.Notice
	style := plain.Dim(true)
	if text != "" {
		style = plain.Foreground(tcell.ColorOlive)
	} else {
		text = a.st.Status(r)
	}
	a.put(1, y, w-len(help)-2, style, Clean(text))
	a.put(w-len(help), y, len(help), plain.Dim(true), help)
}

// row is one screen line of the conversation.
type row struct {
	time, name, text, mark string
	style                  tcell.Style
	centre                 bool
}

const nameWidth = 12

// rows lays the newest lines out until limit rows are full, oldest first.
func (a *app) rows(r *state.Room, width, limit int) []row {
	var out []row
	text := max(1, min(width, 100)-6-nameWidth-4)
	lines := append(append([]state.Line(nil), r.Lines...), r.Waiting...)
	for i := len(lines) - 1; i >= 0 && len(out) < limit; i-- {
		l := lines[i]
		var these []row
		if i == 0 || !sameDay(lines[i-1].Time, l.Time) {
			these = append(these, row{text: l.Time.Format("Monday 2 January"), style: plain.Dim(true), centre: true})
		}
		if l.Kind != state.LineMessage {
			these = append(these, row{text: Clean(l.Text), style: plain.Dim(true), centre: l.Kind == state.LineCut, time: ""})
		} else {
			run := i > 0 && lines[i-1].Kind == state.LineMessage && lines[i-1].User == l.User && sameDay(lines[i-1].Time, l.Time)
			for j, part := range wrap(Clean(l.Text), text) {
				one := row{text: part, style: plain}
				if j == 0 {
					if i == 0 || lines[i-1].Time.Truncate(time.Minute) != l.Time.Truncate(time.Minute) {
						one.time = l.Time.Format("15:04")
					}
					if !run {
						one.name = l.User
					}
					if l.Mine && (l.Mark == state.Failed || a.st.Now.Sub(l.Since) > markAfter) {
						one.mark = string(l.Mark)
					}
				}
				these = append(these, one)
			}
		}
		for j := len(these) - 1; j >= 0; j-- {
			out = append(out, these[j])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func sameDay(a, b time.Time) bool { return a.YearDay() == b.YearDay() && a.Year() == b.Year() }

func (a *app) drawLines(r *state.Room, x, y, width, height int) {
	if width < 8 || height < 1 {
		return
	}
	rows := a.rows(r, width, height+r.Scroll)
	end := max(min(len(rows), height), len(rows)-r.Scroll)
	rows = rows[max(0, end-height):end]
	for i, one := range rows {
		y := y + height - len(rows) + i
		if one.centre {
			a.put(x+max(1, (width-uniseg.StringWidth(one.text))/2), y, width-1, one.style, one.text)
			continue
		}
		a.put(x+1, y, 5, plain.Dim(true), one.time)
		name := one.name
		if uniseg.StringWidth(name) > nameWidth-1 {
			name = name[:nameWidth-2] + "…"
		}
		a.put(x+7+nameWidth-1-uniseg.StringWidth(name), y, nameWidth, colour(one.name), name)
		a.put(x+7+nameWidth, y, width-9-nameWidth, one.style, one.text)
		a.put(x+min(width, 100)-2, y, 1, plain.Bold(one.mark == string(state.Failed)), one.mark)
	}
}

// wrap breaks text into lines of at most width columns, between words where it can.
func wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		line, used, space := "", 0, -1 // space: length of line before the last blank
		for g := uniseg.NewGraphemes(paragraph); g.Next(); {
			w := g.Width()
			if used+w > width && line != "" {
				rest := ""
				if space > 0 && g.Str() != " " {
					line, rest = line[:space], line[space+1:]
				}
				lines = append(lines, line)
				line, used, space = rest, uniseg.StringWidth(rest), -1
				if g.Str() == " " {
					continue
				}
			}
			if g.Str() == " " {
				space = len(line)
			}
			line += g.Str()
			used += w
		}
		lines = append(lines, line)
	}
	return lines
}
