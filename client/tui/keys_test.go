package tui

import (
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
)

func TestKeysCanBeBoundAnew(t *testing.T) {
	b, err := bind(map[string]string{"Alt-J": "next-room", "Ctrl-N": "none", "F5": "redraw"})
	if err != nil || b["Alt-J"].name != "next-room" || b["F5"].name != "redraw" {
		t.Errorf("%v", err)
	}
	if _, bound := b["Ctrl-N"]; bound {
		t.Error("Ctrl-N is still bound")
	}
	for key, action := range map[string]string{"Alt-Q": "fly", "Hyper-X": "quit", "x": "quit", "": "quit", "F13": "quit", "Shift-A": "quit", "Alt-Ctrl-M": "quit", "Ctrl-/": "undo", "Ctrl-Enter": "send", "Ctrl-F5": "redraw", "Alt-j": "quit"} {
		if err := CheckKeys(profile.Config{Keys: map[string]string{key: action}}); err == nil {
			t.Errorf("%q = %q was taken", key, action)
		}
	}
}

// TestKeysThatAreOne are bound by the name that reaches the client.
func TestKeysThatAreOneToATerminal(t *testing.T) {
	for key, want := range map[string]string{
		"Ctrl-I": "Ctrl-I", "Ctrl-H": "Ctrl-H", "Alt-Ctrl-M": "Alt-Enter", "Alt-Ctrl-H": "Alt-Backspace",
		"Ctrl-/": "Ctrl-_", "Alt-Shift-X": "Alt-X", "Ctrl-F5": "F5", "Shift-A": "", "Hyper-X": "",
		"Shift-Tab": "Shift-Tab", "Ctrl-Shift-Left": "Ctrl-Shift-Left", "Ctrl-J": "Ctrl-J", "Alt-Ctrl-I": "Alt-Ctrl-I",
		"Ctrl-Shift-C": "Ctrl-Shift-C", "Alt-F12": "Alt-F12", "Alt-ä": "Alt-Ä", "Alt-->": "", "Alt--": "Alt--", "Ctrl-Backspace": "Backspace",
	} {
		if got := sentAs(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	err := CheckKeys(profile.Config{Keys: map[string]string{"Ctrl-/": "quit"}})
	if want := `"Ctrl-/" is the same key as Ctrl-_ here: bind that`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestEveryActionHasAKeyThatReachesIt guards the names of keys against slips.
func TestEveryActionHasAKeyThatReachesIt(t *testing.T) {
	seen := map[string]string{}
	for _, act := range actions() {
		for _, k := range act.keys {
			if got := sentAs(k); got != k {
				t.Errorf("%s: %q is sent as %q", act.name, k, got)
			}
			if other, twice := seen[k]; twice {
				t.Errorf("%s is bound to %s and to %s", k, other, act.name)
			}
			seen[k] = act.name
		}
	}
}

// TestKeysAsTerminalsSendThem: the same key comes in several ways.
func TestKeysAsTerminalsSendThem(t *testing.T) {
	const alt, ctrl, shift = tcell.ModAlt, tcell.ModCtrl, tcell.ModShift
	b, err := bind(map[string]string{"Shift-Right": "next-unread"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  tcell.Key
		r    rune
		mods tcell.ModMask
		want string // action
	}{
		{tcell.KeyEnter, 0, alt, "newline"},
		{tcell.KeyRune, 'm', alt | ctrl, "newline"}, // ESC CR, as the library names it
		{tcell.KeyRune, 'j', alt | ctrl, "newline"},
		{tcell.KeyRune, '_', ctrl, "undo"},
		{tcell.KeyRune, '-', ctrl | shift, "undo"},
		{tcell.KeyRune, '/', ctrl, "undo"},
		{tcell.KeyCtrlUnderscore, 0, ctrl, "undo"},
		{tcell.KeyRune, 'c', ctrl | shift, ""}, // not Ctrl-C
		{tcell.KeyRune, 'k', tcell.ModMeta, ""},
		{tcell.KeyRight, 0, shift, "next-unread"},
		{tcell.KeyLeft, 0, shift, "left"}, // as nothing else is bound to it
		{tcell.KeyRight, 0, 0, "right"},
		{tcell.KeyBacktab, 0, 0, "complete-back"},
		{tcell.KeyBacktab, 0, shift, "complete-back"},
		{tcell.KeyRune, 'k', alt, "palette"},
	} {
		e := tcell.NewEventKey(c.key, c.r, c.mods)
		if keyName(e) == "" {
			t.Errorf("%s is a character to be written", e.Name())
		}
		if act, _ := b.find(e); act.name != c.want {
			t.Errorf("%s, here %q: %q, want %q", e.Name(), keyName(e), act.name, c.want)
		}
	}
}

// TestPastes come as one piece, whatever their size.
func TestPastes(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	paste := func(text string) {
		a.input(tcell.NewEventPaste(true))
		for _, r := range text {
			if r == '\n' {
				a.input(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
			} else {
				a.input(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone))
			}
		}
		a.input(tcell.NewEventPaste(false))
	}
	draft := func() string { return a.st.Current().Draft.String() }
	paste("two\nlines")
	if draft() != "two\nlines" {
		t.Errorf("a short paste: %q", draft())
	}
	paste(strings.Repeat("line\n", 30))
	if a.st.Overlay != state.OverlayPreview || draft() != "two\nlines" {
		t.Errorf("a long paste is not shown first: %q", draft())
	}
	a.input(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
	if a.st.Overlay != state.OverlayNone || strings.Count(draft(), "line\n") != 29 {
		t.Errorf("then: %q", draft())
	}
	// What an editor on another system copied ends its lines with CR and LF.
	a.edit(func(in state.Input) state.Input { return in.Set("") })
	a.input(tcell.NewEventPaste(true))
	for _, key := range []tcell.Key{tcell.KeyEnter, tcell.KeyCtrlJ, tcell.KeyEnter, tcell.KeyCtrlJ, tcell.KeyCtrlJ} { // CR LF CR LF LF
		a.input(tcell.NewEventKey(key, 0, tcell.ModNone))
	}
	a.input(tcell.NewEventKey(tcell.KeyRune, 'x', tcell.ModNone))
	a.input(tcell.NewEventPaste(false))
	if draft() != "\n\n\nx" {
		t.Errorf("CR and LF: %q", draft())
	}
	before := draft()
	paste(strings.Repeat("x", 1<<20))
	if draft() != before || !strings.Contains(a.st.Notice, "1048576 bytes") {
		t.Errorf("1 MiB: %d bytes, %q", len(draft()), a.st.Notice)
	}
}

// TestWritingWithoutASession keeps what is written, in order, and what is
// wrong with it is said at once.
func TestWritingWithoutASession(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	for _, text := range []string{"one", "//two", strings.Repeat("x", 20_000), "/fly", "/where"} {
		a.edit(func(in state.Input) state.Input { return in.Set(text) })
		a.input(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
		if bad := text != "one" && text != "//two"; bad != (a.st.Notice != "") {
			t.Errorf("%.9q: %q", text, a.st.Notice)
		}
	}
	var waiting []string
	for _, l := range a.st.Current().Unposted() {
		waiting = append(waiting, l.Text)
	}
	if strings.Join(waiting, "|") != "one|/two" {
		t.Errorf("waiting: %q", waiting)
	}
}

func TestGoingToAPlace(t *testing.T) {
	a, s := showing(t, 80, 24, chat().Apply(said("general", "bob", "far ahead", 8)))
	defer s.Fini()
	a.draw()
	for where, want := range map[string]string{"6": "no connection", "1": "", "#2": "", "9": "the newest message of #general is #8", "2026-11-23": "no connection", "yesterday": "a message's number", "": "a message's number"} {
		a.st.Notice = ""
		if a.goTo(where); want == "" && a.st.Notice != "" || !strings.Contains(a.st.Notice, want) {
			t.Errorf("%q: %q", where, a.st.Notice)
		}
	}
	a.st = a.st.Open("music")
	if a.goTo("2026-11-23"); !strings.Contains(a.st.Notice, "nothing has been said") {
		t.Errorf("an empty room: %q", a.st.Notice)
	}
}

// TestSendingShowsTheEndAndReadsIt: what came while one was scrolled up is on
// the screen then, behind a line of its own, and unread no more.
func TestSendingShowsTheEndAndReadsIt(t *testing.T) {
	for text, read := range map[string]bool{"hi": true, "/names": true, "/goto 1": false} {
		a, s := showing(t, 80, 10, chat())
		defer s.Fini()
		a.draw()
		a.input(tcell.NewEventKey(tcell.KeyPgUp, 0, tcell.ModNone))
		a.apply(said("general", "bob", "ada: five", 5))
		a.apply(said("general", "bob", "six", 6))
		if r := a.st.Current(); r.Unread != 2 {
			t.Fatalf("scrolled up: %d unread", r.Unread)
		}
		a.edit(func(in state.Input) state.Input { return in.Set(text) })
		a.input(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
		if r := a.st.Current(); (r.Scroll == 0) != read || (r.Unread+r.Mentions == 0) != read || r.Marker != 4 || r.New != 2 {
			t.Errorf("%s: scroll %d, %d unread, %d mentions, marker %d, %d new", text, r.Scroll, r.Unread, r.Mentions, r.Marker, r.New)
		}
	}
}

// TestDraftComesBackAfterACommand that was chosen from the palette.
func TestDraftComesBackAfterACommand(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*app)
		want string
	}{
		"sent":           {func(a *app) { a.typed("\n") }, "half a thought"},
		"erased":         {func(a *app) { a.edit(state.Input.KillLeft) }, "half a thought"},
		"undone":         {func(a *app) { a.edit(state.Input.Undo) }, "half a thought"},
		"undone, spoken": {func(a *app) { a.edit(state.Input.Undo); a.typed("\n") }, ""},
		"another chosen": {func(a *app) { a.choose(state.Choice{Kind: "command", Name: "/whoami"}); a.typed("\n") }, "half a thought"},
		"kept": {func(a *app) {
			a.st = state.State{Page: state.PageChat, Active: "general"}.Restore(a.st.Save())
			a.edit(state.Input.KillLeft)
		}, "half a thought"},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := showing(t, 80, 24, chat())
			defer s.Fini()
			a.typed("half a thought")
			a.openPalette()
			a.typed("/names\n")
			if got := a.st.Current().Draft.String(); got != "/names " || a.st.Notice != "what you wrote comes back after the command" {
				t.Errorf("chosen: %q, with the notice %q", got, a.st.Notice)
			}
			c.then(a)
			if got := a.st.Current().Draft.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestATopicIsOneLine in words of its own: who wrote two pressed no control key.
func TestATopicIsOneLine(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	a.edit(func(in state.Input) state.Input { return in.Set("/topic one\ntwo") })
	a.input(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
	if want := "a topic, or description, is one line: take out the line break at byte 3"; a.st.Notice != want || a.st.Current().Draft.String() != "/topic one\ntwo" {
		t.Errorf("got %q, want %q; draft %q", a.st.Notice, want, a.st.Current().Draft.String())
	}
}
