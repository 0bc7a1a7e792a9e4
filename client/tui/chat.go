package tui

import (
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// previewFrom is from how many lines on a paste is shown before it is kept.
const previewFrom = 5

// input handles one event of the terminal.
func (a *app) input(e tcell.Event) {
	if a.elsewhere && a.swallow(e) {
		return
	}
	switch e := e.(type) {
	case *tcell.EventKey, *tcell.EventPaste:
		a.pressed++
	case *tcell.EventMouse:
		if e.Buttons() != tcell.ButtonNone { // else it only moves
			a.pressed++
		}
	}
	switch e := e.(type) {
	case *tcell.EventResize:
		if w, h := e.Size(); w != a.canvas.width || h != a.canvas.height {
			a.canvas.forget()
			a.screen.Sync()
		}
	case *tcell.EventFocus:
		a.st = a.st.Focus(e.Focused)
	case *tcell.EventPaste:
		a.paste(e)
	case *tcell.EventMouse:
		a.mouse(e)
	case *tcell.EventKey:
		switch {
		case a.st.Pasting:
			text := a.pasted(e)
			if a.pasteSize += len(text); a.pasteSize <= comms.MaxContent {
				a.pasteText.WriteString(text)
			}
		case a.st.Page == state.PageConnect:
			a.connectKey(e)
		case a.st.Overlay == state.OverlayPalette:
			a.paletteKey(e)
		case a.st.Overlay == state.OverlayPreview:
			a.previewKey(e)
		case a.st.Overlay == state.OverlayHelp && (e.Key() == tcell.KeyDown || e.Key() == tcell.KeyPgDn):
			a.helpTop += 5
		case a.st.Overlay == state.OverlayHelp && (e.Key() == tcell.KeyUp || e.Key() == tcell.KeyPgUp):
			a.helpTop -= 5
		case a.st.Overlay == state.OverlayBare && (e.Key() == tcell.KeyPgUp || e.Key() == tcell.KeyUp):
			a.scroll(1)
		case a.st.Overlay == state.OverlayBare && (e.Key() == tcell.KeyPgDn || e.Key() == tcell.KeyDown):
			a.scroll(-1)
		case a.st.Overlay != state.OverlayNone:
			asked := a.st.Overlay == state.OverlayHelp && keyName(e) == "" && e.Rune() == '?'
			if a.st.Overlay, a.helpTop = state.OverlayNone, 0; asked {
				a.edit(func(in state.Input) state.Input { return in.Insert("?") })
			}
		default:
			a.chatKey(e)
		}
	}
}

// swallow takes what is typed for a place that is shown no more, up to Enter.
func (a *app) swallow(e tcell.Event) bool {
	switch e := e.(type) {
	case *tcell.EventPaste:
		a.st.Pasting = e.Start()
		return true
	case *tcell.EventKey:
		act, ok := a.keys.find(e)
		switch {
		case a.st.Pasting:
		case e.Key() == tcell.KeyEnter:
			a.elsewhere, a.st.Notice = false, ""
		case ok && act.name == "quit":
			return false
		}
		return true
	}
	return false
}

// pasted is the text of a key that came by a paste. A line's end may come as
// CR, LF or both.
func (a *app) pasted(e *tcell.EventKey) string {
	both := a.pasteCR && e.Key() == tcell.KeyCtrlJ
	a.pasteCR = e.Key() == tcell.KeyEnter
	switch e.Key() {
	case tcell.KeyEnter, tcell.KeyCtrlJ:
		if both {
			return ""
		}
		return "\n"
	case tcell.KeyTab:
		return "\t"
	case tcell.KeyRune:
		return string(e.Rune())
	}
	return ""
}

// paste gathers what a terminal brackets as pasted: one piece of text, whatever
// is in it. Several lines wait for a word before they are written.
func (a *app) paste(e *tcell.EventPaste) {
	if e.Start() {
		a.pasteText.Reset()
		a.st.Pasting, a.pasteSize, a.pasteCR = true, 0, false
		return
	}
	text := strings.TrimRight(a.pasteText.String(), "\n") // what was copied by the line ends with one
	a.st.Pasting = false
	switch {
	case a.st.Page == state.PageConnect:
		a.edit(func(in state.Input) state.Input { return in.Insert(strings.Join(strings.Fields(text), "")) })
	case a.st.Current() == nil || text == "":
	case a.st.Overlay == state.OverlayPalette:
		a.st.Palette.Query = a.st.Palette.Query.Insert(oneLine(text))
	case a.pasteSize > comms.MaxContent:
		a.say("the paste has %d bytes, a message at most %d: send it in parts, or as a link", a.pasteSize, comms.MaxContent)
	case strings.Count(text, "\n")+1 >= previewFrom:
		a.st.Paste, a.st.PasteRoom, a.st.Overlay = text, a.st.Active, state.OverlayPreview
	default:
		a.edit(func(in state.Input) state.Input { return in.Insert(text) })
	}
}

// previewKey writes the paste into the line, or drops it. Another room may be
// open by now: an answer to a command opens one.
func (a *app) previewKey(e *tcell.EventKey) {
	text, room := a.st.Paste, a.st.PasteRoom
	switch {
	case e.Key() == tcell.KeyEnter && room == a.st.Active:
		a.edit(func(in state.Input) state.Input { return in.Insert(text) })
	case e.Key() == tcell.KeyEnter:
		a.st = a.st.Update(room, func(r *state.Room) { r.Draft = r.Draft.Insert(text) })
		a.say("the paste is in the line of #%s", room)
	case e.Key() == tcell.KeyEscape:
	default:
		return
	}
	a.st.Paste, a.st.Overlay = "", state.OverlayNone
}

func (a *app) chatKey(e *tcell.EventKey) {
	a.st.Notice, a.noticed = "", time.Time{}
	r := a.st.Current()
	name := keyName(e)
	switch {
	case name == "" && e.Rune() == '?' && r != nil && r.Draft.Empty():
		a.st.Overlay = state.OverlayHelp // where a second one means the character
	case name == "":
		text := string(e.Rune())
		a.edit(func(in state.Input) state.Input { return in.Insert(text) })
	default:
		if act, ok := a.keys.find(e); ok {
			act.run(a)
		}
	}
}

// edit changes what is written: the draft of the active room, or a field of the
// connect page.
func (a *app) edit(f func(state.Input) state.Input) {
	if a.st.Page == state.PageConnect {
		a.editField(f)
		return
	}
	a.st = a.st.Edit(f)
}

// recall moves in the draft's lines, and beyond them in the input history.
func (a *app) recall(by int) {
	a.edit(func(in state.Input) state.Input {
		if !in.Recalling() {
			if moved, ok := in.Vertical(-by); ok {
				return moved
			}
		}
		return in.Recall(a.st.Inputs, by)
	})
}

func (a *app) openPalette() {
	a.st.Overlay, a.st.Palette = state.OverlayPalette, state.Palette{}
	a.relist()
}

func (a *app) paletteKey(e *tcell.EventKey) {
	p := &a.st.Palette
	switch e.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC, tcell.KeyCtrlG:
		a.st.Overlay = state.OverlayNone
	case tcell.KeyDown, tcell.KeyCtrlN, tcell.KeyTab:
		a.st = a.st.Choose(1)
	case tcell.KeyUp, tcell.KeyCtrlP, tcell.KeyBacktab:
		a.st = a.st.Choose(-1)
	case tcell.KeyEnter:
		a.st.Overlay = state.OverlayNone
		if choices := a.st.Choices(); p.Chosen < len(choices) {
			a.choose(choices[p.Chosen])
		} else if name := state.RoomName(strings.TrimSpace(p.Query.String())); name != "" {
			a.open(name)
		}
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		p.Query, p.Chosen = p.Query.Delete(-1), 0
	case tcell.KeyCtrlU:
		p.Query, p.Chosen = state.Input{}, 0
	case tcell.KeyCtrlW:
		p.Query, p.Chosen = p.Query.KillWord(), 0
	case tcell.KeyRune:
		if e.Modifiers()&tcell.ModAlt == 0 {
			p.Query, p.Chosen = p.Query.Insert(string(e.Rune())), 0
		}
	}
}

func (a *app) choose(c state.Choice) {
	switch c.Kind {
	case "room":
		a.open(c.Name)
	case "person":
		a.edit(func(in state.Input) state.Input { return in.Insert("@" + c.Name + " ") })
	case "command":
		a.edit(func(in state.Input) state.Input { return in.Command(c.Name + " ") })
		if a.st.Current() != nil && a.st.Current().Draft.Aside() != "" {
			a.say("what you wrote comes back after the command")
		}
	}
}
