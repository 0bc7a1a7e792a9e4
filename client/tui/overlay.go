package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"positivity-exchange/client/state"
)

// helpColumn is where the help says what something does, from where on.
const helpColumn = 19

// helpLines are made from the bindings, so that they cannot be wrong.
func (a *app) helpLines(width int) (lines []string) {
	add := func(what, does string) {
		indent := helpColumn
		if width < 2*helpColumn+8 {
			indent = 3 // below it: side by side there is no room
			lines = append(lines, what)
			what = ""
		}
		for i, line := range wrap(does, max(1, width-indent)) {
			if i > 0 {
				what = ""
			}
			lines = append(lines, fmt.Sprintf("%-*s%s", indent, what, line))
		}
	}
	for _, act := range actions() {
		if keys := a.keys.keysOf(act); len(keys) > 0 && act.does != "" {
			add(strings.Join(keys, " "), act.does)
		}
	}
	add("Alt-1 to Alt-9", "room by its place")
	lines = append(lines, "")
	for _, c := range state.Commands {
		name := "/" + c.Name
		for _, other := range c.Also {
			if len(name)+len(other)+3 < helpColumn {
				name += " /" + other
			}
		}
		add(name, strings.TrimSpace(c.Args+"  "+c.Does))
	}
	add("//text", "sends /text")
	lines = append(lines, "")
	add("Marks on your own", "· on its way   ✓ stored   ! failed")
	add("You are", fmt.Sprintf("%s, online for %s; router %s", a.st.User, a.st.Online(), oneLine(a.st.Router.Addr)))
	return lines
}

func (a *app) drawHelp(w, h int) {
	column := min(62, w-2)
	columns := max(1, (w-2)/max(1, column))
	lines := a.helpLines(max(1, column-1))
	rows := max(1, h-3)
	perColumn := max(rows, (len(lines)+columns-1)/columns)
	a.helpTop = max(0, min(a.helpTop, perColumn-rows))
	a.put(2, 0, w-2, a.look.bold, "Help")
	for i, line := range lines {
		y := i%perColumn - a.helpTop
		if y >= 0 && y < rows {
			a.put(2+i/perColumn*column, 1+y, column-1, a.look.plain, line)
		}
	}
	hint := "any key closes"
	if perColumn > rows {
		hint = "Up, Down scroll; other keys close"
	}
	a.put(2, h-1, w-2, a.look.dim, hint)
}

func (a *app) drawPreview(w, h int) {
	lines := strings.Split(Clean(a.st.Paste), "\n")
	a.put(1, 0, w-1, a.look.bold, fmt.Sprintf("A paste of %d lines, as one message:", len(lines)))
	for i, line := range lines {
		if i == h-4 && len(lines) > h-3 {
			a.put(1, 1+i, w-1, a.look.dim, fmt.Sprintf("and %d more", len(lines)-i))
			break
		}
		a.put(1, 1+i, w-1, a.look.plain, line)
	}
	a.put(1, h-1, w-1, a.look.dim, "Enter writes it into the line · Esc drops it")
}

// drawBare draws messages alone, so that the terminal's own selection gets them.
func (a *app) drawBare(w, h int) {
	r := a.st.Current()
	if r == nil {
		return
	}
	a.height = h
	r = a.settle(r)
	y, hidden := h-1, r.Under
	for i := len(r.Lines) - 1 - r.Scroll; i >= 0 && y >= 0; i-- {
		lines := bare(r.Lines[i], w)
		for j := len(lines) - 1 - max(0, min(hidden, len(lines)-1)); j >= 0 && y >= 0; j-- {
			a.put(0, y, w, a.look.plain, lines[j])
			y--
		}
		hidden = 0
	}
}

// bare is a line as it is drawn there, in no row if it is no message.
func bare(l state.Line, w int) []string {
	if l.Kind != state.LineMessage {
		return nil
	}
	return wrap(Signed(l.Time, l.User, l.Text), w)
}

// Signed is a message with its time and author before each line of it: nobody's
// second line passes for a message of somebody else. It is cleaned.
func Signed(at time.Time, user, text string) string {
	return signed(at.Format("15:04 "), user, text)
}

// signed has something else in the time's place. What somebody does, with /me,
// reads as it does on the screen.
func signed(before, user, text string) string {
	name, text := oneLine(user), Clean(text)
	who := before + name + ": "
	first := who
	if what, ok := strings.CutPrefix(text, "/me "); ok {
		first, text = before+"* "+name+" ", what
	}
	return first + strings.ReplaceAll(text, "\n", "\n"+who)
}

func (a *app) drawPalette(w, bottom int) {
	choices := a.st.Choices()
	rows := min(max(1, len(choices)), max(1, bottom-2))
	first := max(0, min(a.st.Palette.Chosen-rows+1, len(choices)-rows))
	what := "rooms, people, commands"
	if rows < len(choices) {
		what += fmt.Sprintf(": %d-%d of %d", first+1, first+rows, len(choices))
	}
	a.rule(0, bottom-rows-1, w, a.look.dim, what)
	for y := bottom - rows; y < bottom; y++ {
		for x := range w {
			a.canvas.set(x, y, 1, []rune{' '}, a.look.plain)
		}
	}
	column := 0 // of the names: all have it, so that nothing moves while one chooses
	for _, c := range choices {
		column = min(max(column, uniseg.StringWidth(oneLine(c.Name))), max(1, w/2))
	}
	about := 3 + column + 2
	for i := range min(rows, len(choices)) {
		c, y := choices[first+i], bottom-rows+i
		style := a.look.plain
		if first+i == a.st.Palette.Chosen {
			style = a.look.chosen
		}
		name := oneLine(c.Name)
		shown := shorten(name, column)
		a.put(3, y, w-3, style, shown)
		for _, m := range c.Marks { // why it fits
			if m < len(shown) && name == c.Name && shown[m] == name[m] {
				a.put(3+m, y, 1, style.Underline(true), name[m:m+1])
			}
		}
		a.put(about, y, w-about-6, a.look.dim, shorten(oneLine(c.About), w-about-6))
		a.put(w-5, y, 5, a.look.bold, c.Badge)
	}
	if len(choices) == 0 {
		a.put(3, bottom-1, w-3, a.look.dim, "nothing fits; Enter opens the room of this name")
	}
}
