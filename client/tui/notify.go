package tui

import (
	"fmt"
	"os"
	"strings"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// notify tells of a message that its reader may miss.
func (a *app) notify(before state.State, m client.Message) {
	ring, show := a.tells(before, m)
	if ring && a.opts.Config.Bell {
		if err := a.screen.Beep(); err != nil {
			a.opts.Logger.Debug("beep", "err", err)
		}
	}
	if show {
		title := fmt.Sprintf("%s in #%s", oneLine(m.User), m.Room)
		if s := notification(a.opts.Config.Desktop, title, shorten(oneLine(m.Content), 200)); s != "" {
			a.writeTTY(s)
		}
	}
}

// tells decides whether a message rings the bell and shows a notification: a
// mention that is not on the screen does both; anything said in a room that
// asks for all is shown while the terminal is not looked at; nothing in the
// quiet hours.
func (a *app) tells(before state.State, m client.Message) (ring, show bool) {
	r := before.Room(m.Room)
	if r == nil || m.Kind != comms.KindMessage || m.User == before.User || r.Level == state.NotifyNone {
		return false, false
	}
	if m.Room == before.Active && !before.Blurred && r.AtEnd() || a.opts.Config.IsQuiet(a.opts.Now()) {
		return false, false
	}
	mention := state.Mentions(m.Content, before.User)
	return mention, mention || before.Blurred && r.Level != state.NotifyMentions
}

// notification is the escape sequence by which terminals show one; behind tmux
// it is wrapped, so that it reaches the terminal outside.
func notification(kind, title, text string) string {
	// A semicolon would end a field of the sequence.
	title, text = strings.ReplaceAll(title, ";", ","), strings.ReplaceAll(text, ";", ",")
	var s string
	switch kind {
	case "osc9":
		s = "\x1b]9;" + title + ": " + text + "\x1b\\"
	case "osc99":
		s = "\x1b]99;i=px:d=0;" + title + "\x1b\\\x1b]99;i=px:p=body;" + text + "\x1b\\"
	case "osc777":
		s = "\x1b]777;notify;" + title + ";" + text + "\x1b\\"
	default:
		return ""
	}
	if os.Getenv("TMUX") != "" {
		s = "\x1bPtmux;" + strings.ReplaceAll(s, "\x1b", "\x1b\x1b") + "\x1b\\"
	}
	return s
}
