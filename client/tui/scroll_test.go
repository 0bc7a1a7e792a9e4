package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// pasted is a conversation with a message of 40 lines in it, and one of 30 of
// one's own that waits at its end.
func pasted() state.State {
	lines := func(name string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s%02d\n", name, i)
		}
		return b.String() + "end"
	}
	st := chat().Apply(said("general", "bob", "before", 5)).Apply(said("general", "zoe", lines("row", 40), 6))
	return st.Apply(said("general", "bob", "after", 7)).Posted("general", "8", lines("own", 30), false)
}

// room is one of n messages that are there from number from on.
func room(from, n int) state.State {
	st := state.State{Page: state.PageChat, User: "ada", Now: noon}.Open("go").Apply(client.Joined{Room: "go"})
	p := comms.HistoryPage{Head: uint64(from + n - 1)}
	for seq := from; seq < from+n; seq++ {
		p.Records = append(p.Records, said("go", "bob", fmt.Sprintf("message %d", seq), uint64(seq)).Record)
	}
	return st.WithHistory("go", p)
}

func press(a *app, key tcell.Key) {
	a.input(tcell.NewEventKey(key, 0, tcell.ModNone))
	a.draw()
}

// TestEveryRowIsReached: a message taller than the window is read by the page,
// in both directions, and its author's name stands at its first row.
func TestEveryRowIsReached(t *testing.T) {
	want := []string{"zoe row00", "bob before", "bob after"}
	for i := range 40 {
		want = append(want, fmt.Sprintf("row%02d", i))
	}
	own := []string{"restarting"}
	for i := range 30 {
		own = append(own, fmt.Sprintf("own%02d", i))
	}
	for _, size := range [][2]int{{80, 24}, {40, 10}, {130, 12}, {24, 6}} {
		for overlay, want := range map[int][]string{state.OverlayNone: append(own, want...), state.OverlayBare: want} {
			st := pasted()
			st.Overlay = overlay
			a, s := showing(t, size[0], size[1], st)
			defer s.Fini()
			a.draw()
			for _, key := range []tcell.Key{tcell.KeyPgUp, tcell.KeyPgDn} { // the second from where the first has led
				seen := ""
				for range 120 {
					seen += strings.Join(strings.Fields(strings.NewReplacer(":", "", "│", "").Replace(dump(s))), " ")
					press(a, key)
				}
				for _, text := range want {
					if !strings.Contains(seen, text) {
						t.Errorf("%v, overlay %d, %s: %q is not seen", size, overlay, tcell.KeyNames[key], text)
					}
				}
			}
			if r := a.st.Current(); !r.AtEnd() {
				t.Errorf("%v, overlay %d: at last %d lines and %d rows below", size, overlay, r.Scroll, r.Under)
			}
		}
	}
}

// TestThePlaceInsideAMessageIsKept while others write, come and go, while older
// pages are loaded, and over a resize.
func TestThePlaceInsideAMessageIsKept(t *testing.T) {
	a, s := showing(t, 58, 24, pasted())
	defer s.Fini()
	shows := func() string { // without the header and the status line, which count
		a.draw()
		rows := strings.Split(dump(s), "\n")
		return strings.Join(rows[1:len(rows)-4], "\n")
	}
	shows()
	for range 3 {
		press(a, tcell.KeyPgUp)
	}
	want := shows()
	if !strings.Contains(want, "row15") || strings.Contains(want, "row39") {
		t.Fatalf("not inside the message:\n%s", want)
	}
	same := func(what string) {
		t.Helper()
		if got := shows(); got != want {
			t.Fatalf("%s: got\n%s\nwant\n%s", what, got, want)
		}
	}
	a.apply(said("general", "bob", "new", 8))
	same("a message")
	a.apply(client.Presence{Room: "general", Joined: []string{"eve"}})
	same("who comes")
	a.apply(client.Presence{Room: "general", Left: []string{"eve"}})
	same("who goes")
	a.st = a.st.Open("go").Open("general")
	same("another room, and back")
	s.SetSize(40, 10)
	if narrow := shows(); !strings.Contains(narrow, "row") {
		t.Errorf("a narrow window shows\n%s", narrow)
	}
	s.SetSize(58, 24)
	same("a resize, and back")
}

// TestTheEndOfATallMessageIsUnread until it is on the screen.
func TestTheEndOfATallMessageIsUnread(t *testing.T) {
	st := chat()
	st.Rooms = nil
	st = st.Open("go").Apply(client.Joined{Room: "go"}).WithHistory("go", comms.HistoryPage{Head: 1, Records: []comms.Record{said("go", "bob", strings.Repeat("x\n", 60)+"y", 1).Record}})
	a, s := showing(t, 80, 24, st)
	defer s.Fini()
	a.draw()
	press(a, tcell.KeyPgUp)
	a.apply(said("go", "bob", "after it", 2))
	if a.draw(); strings.Contains(dump(s), "after it") || a.st.Current().Unread != 1 || !strings.Contains(dump(s), "2 messages below") {
		t.Errorf("%d unread, on the screen\n%s", a.st.Current().Unread, dump(s))
	}
	press(a, tcell.KeyPgDn)
	press(a, tcell.KeyPgDn)
	if !strings.Contains(dump(s), "after it") || a.st.Current().Unread != 0 || a.st.Current().Scroll != 0 {
		t.Errorf("at the end: %d unread, scroll %d, on the screen\n%s", a.st.Current().Unread, a.st.Current().Scroll, dump(s))
	}
}

// TestTheTopRowHasItsAuthor, whose name may stand further up, out of sight.
func TestTheTopRowHasItsAuthor(t *testing.T) {
	for _, text := range []string{"", "/me "} {
		st := chat().Apply(said("general", "zoe", text+strings.Repeat("row\n", 40)+"end", 5))
		a, s := showing(t, 50, 12, st)
		defer s.Fini()
		for range 2 {
			a.draw()
			rows := strings.Split(dump(s), "\n")
			if strings.TrimSpace(rows[1]) != "zoe row" || strings.TrimSpace(rows[2]) != "row" {
				t.Errorf("%q:\n%s", text, dump(s))
			}
			press(a, tcell.KeyPgUp)
		}
	}
}

// TestNothingIsEmptyAboveTheFirstRow: however one goes up, by a search or over a
// resize, the room's first row is at most the window's first.
func TestNothingIsEmptyAboveTheFirstRow(t *testing.T) {
	pgUp := func(a *app, _ tcell.SimulationScreen) {
		for range 4 {
			press(a, tcell.KeyPgUp)
		}
	}
	for name, c := range map[string]struct {
		st   state.State
		up   func(*app, tcell.SimulationScreen)
		seen string // at last
	}{
		"by the page":    {room(1, 30), pgUp, "Monday"},
		"by rows":        {room(1, 30), func(a *app, _ tcell.SimulationScreen) { a.scrollRows(27) }, "Monday"},
		"not from #1 on": {room(101, 30), pgUp, "message 101"},
		"to a number":    {room(1, 30), func(a *app, _ tcell.SimulationScreen) { a.goTo("2") }, "message 2"},
		"a search": {room(1, 30), func(a *app, _ tcell.SimulationScreen) {
			for a.search("message"); a.st.Notice == ""; a.search("") {
				a.draw()
			}
		}, "message 1\n"},
		"behind a notice of two lines": {room(1, 30), func(a *app, s tcell.SimulationScreen) {
			a.say("%s", strings.Repeat("words ", 20))
			a.draw()
			pgUp(a, s)
		}, "Monday"},
		"a higher window": {room(1, 50), func(a *app, s tcell.SimulationScreen) {
			pgUp(a, s)
			s.SetSize(80, 40)
		}, "Monday"},
		"messages alone": {room(1, 30), func(a *app, s tcell.SimulationScreen) {
			a.st.Overlay = state.OverlayBare
			a.draw()
			pgUp(a, s)
		}, "message 1"},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := showing(t, 80, 24, c.st)
			defer s.Fini()
			a.draw()
			c.up(a, s)
			a.draw()
			rows := strings.Split(dump(s), "\n")
			first := rows[1]
			if a.st.Overlay == state.OverlayBare {
				first = rows[0]
			}
			_, text, _ := strings.Cut(first, "│")
			if a.st.Overlay != state.OverlayBare && strings.TrimSpace(text) == "" || first == "" || !strings.Contains(dump(s), c.seen) {
				t.Errorf("on the screen:\n%s", dump(s))
			}
		})
	}
}

// TestWhatFitsIsAtItsEnd: a room that fits into the window cannot be scrolled,
// and is read.
func TestWhatFitsIsAtItsEnd(t *testing.T) {
	a, s := showing(t, 80, 24, room(1, 5))
	defer s.Fini()
	a.draw()
	want := dump(s)
	press(a, tcell.KeyPgUp)
	a.search("message 1")
	a.draw()
	a.st.Search = ""
	a.draw()
	if got := dump(s); got != want || !a.st.Current().AtEnd() {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestEveryFindIsReached: the search goes on above what it found last, though
// that does not stand lowest where the room begins.
func TestEveryFindIsReached(t *testing.T) {
	a, s := showing(t, 80, 24, room(1, 30))
	defer s.Fini()
	a.draw()
	a.search("message")
	for range 29 {
		a.draw()
		a.search("")
	}
	if a.st.Notice != "" {
		t.Errorf("not all were found: %s", a.st.Notice)
	}
	a.draw()
	a.search("")
	if a.st.Notice == "" {
		t.Error("found again, what was found")
	}
}

// TestOlderOnesAreLoadedAtTheTop of what is there.
func TestOlderOnesAreLoadedAtTheTop(t *testing.T) {
	f := serve(t, "go")
	a, until := visiting(t, "go", f.addr())
	a.st = room(101, 30)
	a.login(f.addr(), "ada", true)
	until("connected", func() bool { return a.session != nil })
	a.draw()
	press(a, tcell.KeyPgUp)
	if !a.st.Current().Loading {
		t.Error("nothing is loaded")
	}
	until("loaded", func() bool { return !a.st.Current().Loading })
}
