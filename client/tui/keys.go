package tui

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
)

// action is something that a key does on the chat page.
type action struct {
	name string
	keys []string
	does string
	run  func(*app)
}

// actions are all actions with their default keys, in the order of the help.
func actions() []action {
	edits := func(f func(state.Input) state.Input) func(*app) {
		return func(a *app) { a.edit(f) }
	}
	moves := func(by int) func(*app) {
		return edits(func(in state.Input) state.Input { return in.Move(by) })
	}
	all := []action{
		{"send", []string{"Enter"}, "send", (*app).send},
		{"newline", []string{"Alt-Enter"}, "new line", edits(func(in state.Input) state.Input { return in.Insert("\n") })},
		{"complete", []string{"Tab"}, "complete a name, #room, /command, :emoji", completes(1)},
		{"complete-back", []string{"Shift-Tab"}, "the completion before", completes(-1)},
		{"palette", []string{"Alt-K", "Alt-G"}, "find rooms, people, commands", (*app).openPalette},
		{"next-room", []string{"Ctrl-N", "Alt-Down"}, "next room", func(a *app) { a.next(1) }},
		{"previous-room", []string{"Ctrl-P", "Alt-Up"}, "previous room", func(a *app) { a.next(-1) }},
		{"next-unread", []string{"Alt-A"}, "next room with something new, mentions first", (*app).nextUnread},
		{"last-room", []string{"Alt-/"}, "the room before", (*app).lastRoom},
		{"scroll-up", []string{"PgUp"}, "older messages", func(a *app) { a.scroll(1) }},
		{"scroll-down", []string{"PgDn"}, "newer messages", func(a *app) { a.scroll(-1) }},
		{"newest", []string{"Alt-End", "Alt->"}, "newest message", (*app).newest},
		{"first-unread", []string{"Alt-U"}, "first message that is new", (*app).firstUnread},
		{"search-again", []string{"Alt-R"}, "the place before that has the searched text", func(a *app) { a.search("") }},
		{"numbers", []string{"Alt-S"}, "messages' numbers in place of times", func(a *app) { a.numbers = !a.numbers }},
		{"retry", []string{"Alt-Y"}, "send failed messages again", func(a *app) { a.command(a.st.Active, state.Parsed{Command: "retry"}) }},
		{"history-older", []string{"Up"}, "older input", func(a *app) { a.recall(1) }},
		{"history-newer", []string{"Down"}, "newer input", func(a *app) { a.recall(-1) }},
		{"left", []string{"Left", "Ctrl-B"}, "left", moves(-1)},
		{"right", []string{"Right", "Ctrl-F"}, "right", moves(1)},
		{"word-left", []string{"Alt-B", "Ctrl-Left"}, "a word left", edits(state.Input.WordLeft)},
		{"word-right", []string{"Alt-F", "Ctrl-Right"}, "a word right", edits(state.Input.WordRight)},
		{"line-start", []string{"Home", "Ctrl-A"}, "start of the line", edits(state.Input.Home)},
		{"line-end", []string{"End", "Ctrl-E"}, "end of the line", edits(state.Input.End)},
		{"delete-left", []string{"Backspace"}, "delete to the left", edits(func(in state.Input) state.Input { return in.Delete(-1) })},
		{"delete-right", []string{"Delete", "Ctrl-D"}, "delete to the right", edits(func(in state.Input) state.Input { return in.Delete(1) })},
		{"kill-left", []string{"Ctrl-U"}, "cut to the start of the line", edits(state.Input.KillLeft)},
		{"kill-right", []string{"Ctrl-K"}, "cut to the end of the line", edits(state.Input.KillRight)},
		{"kill-word", []string{"Ctrl-W"}, "cut the word before", edits(state.Input.KillWord)},
		{"kill-word-left", []string{"Alt-Backspace"}, "cut to the start of the word", edits(state.Input.KillWordLeft)},
		{"kill-word-right", []string{"Alt-D"}, "cut to the end of the word", edits(state.Input.KillWordRight)},
		{"yank", []string{"Ctrl-Y"}, "paste what was cut", edits(state.Input.Yank)},
		{"swap", []string{"Ctrl-T"}, "swap two characters", edits(state.Input.Swap)},
		{"undo", []string{"Ctrl-_", "Alt-Z"}, "take the last change back", edits(state.Input.Undo)},
		{"editor", []string{"Alt-E"}, "write in $EDITOR", (*app).editor},
		{"bare", []string{"Alt-L"}, "messages alone, to select with the mouse", func(a *app) { a.st.Overlay = state.OverlayBare }},
		{"clear", []string{"Esc"}, "end the search; what is written stays", func(a *app) { a.st.Search = "" }},
		{"redraw", []string{"Ctrl-L"}, "draw the screen anew", func(a *app) { a.screen.Sync() }},
		{"help", []string{"F1"}, "help, or ? in an empty line; ?? writes one", func(a *app) { a.st.Overlay = state.OverlayHelp }},
		{"quit", []string{"Ctrl-C"}, "quit; what is written stays for the next time", func(a *app) { a.quit = true }},
	}
	for i := 1; i <= 9; i++ {
		all = append(all, action{fmt.Sprintf("room-%d", i), []string{fmt.Sprintf("Alt-%d", i)}, "", func(a *app) { a.openAt(i - 1) }})
	}
	return all
}

// completes goes through what the word before the cursor may become, which takes
// more of the state than the input.
func completes(by int) func(*app) {
	return func(a *app) {
		a.edit(func(in state.Input) state.Input { return a.st.Complete(in, by) })
	}
}

// bindings maps keys to actions.
type bindings map[string]action

// bind makes the bindings of the defaults and the configuration's own: key ->
// name of an action, or "none".
func bind(own map[string]string) (bindings, error) {
	b := bindings{}
	names := map[string]action{}
	for _, act := range actions() {
		names[act.name] = act
		for _, k := range act.keys {
			b[k] = act
		}
	}
	var wrong []error
	for _, key := range slices.Sorted(maps.Keys(own)) {
		name := own[key]
		switch sent := sentAs(key); sent {
		case "":
			wrong = append(wrong, &keyError{key, fmt.Sprintf("%q is no key: write it as Alt-K, Ctrl-N, F5, PgUp, Alt-Enter", key)})
			continue
		case key:
		default:
			wrong = append(wrong, &keyError{key, fmt.Sprintf("%q is the same key as %s here: bind that", key, sent)})
			continue
		}
		if name == "none" {
			delete(b, key)
			continue
		}
		act, ok := names[name]
		if !ok {
			wrong = append(wrong, &keyError{key, fmt.Sprintf("%q: there is no action %q; px client --print-config lists them", key, name)})
			continue
		}
		b[key] = act
	}
	return b, errors.Join(wrong...)
}

// keyError is what is wrong with the binding of one key.
type keyError struct{ key, text string }

func (e *keyError) Error() string { return e.text }

// keyOf is the first key of an action, "" if none is bound to it.
func (a *app) keyOf(name string) string {
	for _, act := range actions() {
		if act.name == name {
			if keys := a.keys.keysOf(act); len(keys) > 0 {
				return keys[0]
			}
		}
	}
	return ""
}

// CheckKeys tells what is wrong first with a configuration's bindings, and where.
func CheckKeys(c profile.Config) error {
	_, err := bindConfig(c)
	return err
}

// bindConfig makes the bindings of a configuration, those that are wrong left out.
func bindConfig(c profile.Config) (bindings, error) {
	b, err := bind(c.Keys)
	var wrong *keyError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("%s: %w", c.Where("keys", wrong.key), wrong)
	}
	return b, err
}

// Sample is the commented configuration, with the names of all actions.
func Sample() string {
	var names strings.Builder
	names.WriteString("\n# Actions and the keys they have:\n")
	for _, act := range actions() {
		fmt.Fprintf(&names, "# %-16s %s\n", act.name, strings.Join(act.keys, " "))
	}
	return strings.Replace(profile.Sample, "\n# Other users", names.String()+"\n# Other users", 1)
}

// keysOf lists the keys that are bound to an action, the default ones first.
func (b bindings) keysOf(act action) []string {
	var keys []string
	for _, k := range act.keys {
		if b[k].name == act.name {
			keys = append(keys, k)
		}
	}
	var own []string
	for k, bound := range b {
		if bound.name == act.name && !slices.Contains(keys, k) {
			own = append(own, k)
		}
	}
	slices.Sort(own)
	return append(keys, own...)
}

var specialKeys = map[tcell.Key]string{
	tcell.KeyEnter: "Enter", tcell.KeyTab: "Tab", tcell.KeyBacktab: "Shift-Tab", tcell.KeyEscape: "Esc",
	tcell.KeyBackspace: "Backspace", tcell.KeyBackspace2: "Backspace", tcell.KeyDelete: "Delete", tcell.KeyInsert: "Insert",
	tcell.KeyUp: "Up", tcell.KeyDown: "Down", tcell.KeyLeft: "Left", tcell.KeyRight: "Right",
	tcell.KeyHome: "Home", tcell.KeyEnd: "End", tcell.KeyPgUp: "PgUp", tcell.KeyPgDn: "PgDn", tcell.KeyCtrlUnderscore: "Ctrl-_",
}

// keyName is what a key is called in the help and in the configuration; "" for
// a character to be written.
func keyName(e *tcell.EventKey) string {
	key := e.Key()
	if key == tcell.KeyRune {
		return runeName(e.Rune(), e.Modifiers())
	}
	prefix := ""
	if e.Modifiers()&tcell.ModAlt != 0 {
		prefix = "Alt-"
	}
	if name, ok := specialKeys[key]; ok {
		if e.Modifiers()&tcell.ModCtrl != 0 && !strings.HasPrefix(name, "Ctrl-") && key != tcell.KeyBackspace && key != tcell.KeyEnter && key != tcell.KeyTab && key != tcell.KeyEscape {
			prefix += "Ctrl-"
		}
		if e.Modifiers()&tcell.ModShift != 0 && key != tcell.KeyBacktab { // whose name has it
			prefix += "Shift-"
		}
		return prefix + name
	}
	switch {
	case key >= tcell.KeyCtrlA && key <= tcell.KeyCtrlZ:
		return prefix + "Ctrl-" + string(rune('A'+key-tcell.KeyCtrlA))
	case key >= tcell.KeyF1 && key <= tcell.KeyF12:
		return fmt.Sprintf("%sF%d", prefix, key-tcell.KeyF1+1)
	}
	return prefix + "?"
}

// runeName is keyName for a character.
func runeName(r rune, mods tcell.ModMask) string {
	alt, ctrl := mods&tcell.ModAlt != 0, mods&tcell.ModCtrl != 0
	name := strings.ToUpper(string(r))
	switch {
	case mods&(tcell.ModAlt|tcell.ModCtrl|tcell.ModMeta) == 0:
		return ""
	case alt && ctrl && (r == 'm' || r == 'j'): // ESC and a carriage return, as most terminals send it
		return "Alt-Enter"
	case alt && ctrl && r == 'h':
		return "Alt-Backspace"
	case ctrl && !alt && strings.ContainsRune("_-/", r): // one character, to a terminal that does not tell them apart
		return "Ctrl-_"
	case mods&tcell.ModMeta != 0:
		name = "Meta-" + name
	}
	if ctrl {
		if mods&tcell.ModShift != 0 {
			name = "Shift-" + name
		}
		name = "Ctrl-" + name
	}
	if alt {
		name = "Alt-" + name
	}
	return name
}

// find is the action of a key. A key that Shift does not change means with
// Shift what it means without, where nothing is bound to both.
func (b bindings) find(e *tcell.EventKey) (act action, ok bool) {
	name := keyName(e)
	act, ok = b[name]
	if _, special := specialKeys[e.Key()]; !ok && special && e.Key() != tcell.KeyBacktab {
		act, ok = b[strings.Replace(name, "Shift-", "", 1)]
	}
	return act, ok
}

// sentAs is what a key of that name is called when it comes: by another name if
// the two are one here, "" if there is no such key. Many terminals send Tab for
// Ctrl-I; it has a name of its own all the same, since others tell them apart.
func sentAs(name string) string {
	rest, mods := name, tcell.ModNone
	for _, m := range []struct {
		prefix string
		mod    tcell.ModMask
	}{{"Alt-", tcell.ModAlt}, {"Ctrl-", tcell.ModCtrl}, {"Shift-", tcell.ModShift}} {
		if after, ok := strings.CutPrefix(rest, m.prefix); ok {
			rest, mods = after, mods|m.mod
		}
	}
	for key, special := range specialKeys {
		if rest == special || name == special {
			return keyName(tcell.NewEventKey(key, 0, mods))
		}
	}
	var n int
	if _, err := fmt.Sscanf(rest, "F%d", &n); err == nil && n >= 1 && n <= 12 && len(rest) <= 3 {
		return keyName(tcell.NewEventKey(tcell.KeyF1+tcell.Key(n-1), 0, mods))
	}
	if r := []rune(rest); len(r) == 1 {
		return keyName(tcell.NewEventKey(tcell.KeyRune, unicode.ToLower(r[0]), mods))
	}
	return ""
}
