package tui

import (
	"slices"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"positivity-exchange/client/state"
)

// connectKey handles a key of the connect page. Its two fields are edited with
// the keys that edit a message.
func (a *app) connectKey(e *tcell.EventKey) {
	c := &a.st.Connect
	switch e.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC:
		a.quit = true
	case tcell.KeyTab, tcell.KeyDown, tcell.KeyUp, tcell.KeyBacktab:
		c.Field = 1 - c.Field
	case tcell.KeyEnter:
		if !c.Busy {
			a.connect()
		}
	default:
		if keyName(e) == "" {
			a.edit(func(in state.Input) state.Input { return in.Insert(string(e.Rune())) })
		} else if act, ok := a.keys.find(e); ok && editsLine(act.name) {
			act.run(a)
		}
	}
}

// editsLine reports whether an action changes one line, or moves in it, and does
// nothing else.
func editsLine(action string) bool {
	return slices.Contains([]string{
		"left", "right", "word-left", "word-right", "line-start", "line-end", "delete-left", "delete-right",
		"kill-left", "kill-right", "kill-word", "kill-word-left", "kill-word-right", "yank", "swap", "undo",
	}, action)
}

// editField changes the field that is written in. A login with what stood there
// is not wanted any more.
func (a *app) editField(f func(state.Input) state.Input) {
	c := &a.st.Connect
	field := &c.Router
	if c.Field == 1 {
		field = &c.Name
	}
	before := field.String()
	if *field = f(*field); field.String() != before && c.Busy {
		a.giveUp()
		c.Busy = false
	}
}

// connectRow is one row of the connect page.
type connectRow struct {
	style tcell.Style
	text  string
	field int // 1 and 2 are the fields, 0 is none
	spare int // what is spared first where there are too few rows; 0 is not
}

func (a *app) drawConnect(w, h int) {
	left, right := 3, 12 // of the labels and of what is written
	if w < 30 {
		left, right = 0, 7
	}
	rows := []connectRow{{spare: 1}, {style: a.look.bold, text: "Positivity Exchange", spare: 2}, {spare: 1}, {field: 1}, {field: 2}, {spare: 1}}
	say := func(style tcell.Style, text string) {
		for _, line := range wrap(text, max(1, w-left-1)) {
			rows = append(rows, connectRow{style: style, text: line})
		}
	}
	c := a.st.Connect
	switch {
	case c.Busy:
		say(a.look.plain, "connecting")
	case c.Error != "":
		say(a.look.bad, oneLine(c.Error))
	case a.st.Notice != "":
		say(a.look.warn, a.st.Notice)
	case c.Name.Empty() && c.Field == 1:
		say(a.look.plain, "Which name will you use? Empty: a guest's, for this once.")
	}
	rows = append(rows, connectRow{spare: 1})
	say(a.look.dim, "Enter connects · Esc quits · px up starts a cluster on this machine")
	for spare := 1; spare <= 2; spare++ {
		for i := 0; i < len(rows) && len(rows) > h; {
			if rows[i].spare == spare {
				rows = slices.Delete(rows, i, i+1)
			} else {
				i++
			}
		}
	}
	for y, row := range rows[:min(len(rows), max(h, 0))] {
		if row.field == 0 {
			a.put(left, y, w-left, row.style, row.text)
			continue
		}
		label, in := "router", c.Router
		if row.field == 2 {
			label, in = "name", c.Name
		}
		a.put(left, y, w-left, a.look.dim, label)
		text, at := window(in, w-right)
		a.put(right, y, w-right, a.look.plain, text)
		if c.Field == row.field-1 {
			a.canvas.show(min(right+at, w-1), y)
		}
	}
}

// window is the part of a line to be drawn where there are so many columns, and
// the cursor's column in it: the text before the cursor is what is cut.
func window(in state.Input, width int) (text string, cursor int) {
	text, before := oneLine(in.String()), oneLine(in.Before())
	cursor = uniseg.StringWidth(before)
	for g := uniseg.NewGraphemes(before); cursor > 0 && cursor >= width && g.Next(); {
		cursor -= g.Width()
		text = text[min(len(text), len(g.Str())):]
	}
	return text, max(0, cursor)
}
