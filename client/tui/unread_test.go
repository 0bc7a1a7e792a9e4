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

// TestTheFirstNewMessageIsShown, wherever it is, with the line above it.
func TestTheFirstNewMessageIsShown(t *testing.T) {
	alt := func(a *app, r rune) {
		a.input(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModAlt))
		a.draw()
	}
	t.Run("below, where one is scrolled up", func(t *testing.T) {
		st := chat()
		for seq := uint64(5); seq <= 60; seq++ {
			st = st.Apply(said("general", "bob", fmt.Sprint("old ", seq), seq))
		}
		a, s := showing(t, 80, 24, st)
		defer s.Fini()
		a.draw()
		for range 2 {
			press(a, tcell.KeyPgUp)
		}
		a.apply(said("general", "bob", "the new one", 61))
		alt(a, 'u')
		if got := dump(s); !strings.Contains(got, " 1 new ") || !strings.Contains(got, "the new one") || a.st.Notice != "" || a.st.Current().Unread != 0 {
			t.Errorf("%d unread, the notice is %q, on the screen\n%s", a.st.Current().Unread, a.st.Notice, got)
		}
		if alt(a, 'u'); a.st.Notice != "" {
			t.Errorf("again: %q", a.st.Notice)
		}
	})
	t.Run("the first of a room", func(t *testing.T) {
		a, s := showing(t, 80, 24, chat().Open("music").Apply(client.Joined{Room: "music", Users: []string{"ada"}, Count: 1}).Open("general"))
		defer s.Fini()
		if alt(a, 'u'); a.st.Notice != "nothing here is new" {
			t.Errorf("nothing new: %q", a.st.Notice)
		}
		a.apply(said("music", "bob", "one", 1))
		a.apply(said("music", "bob", "two", 2))
		a.st = a.st.Open("music")
		alt(a, 'u')
		if got := dump(s); !strings.Contains(got, " 2 new ") || a.st.Notice != "" {
			t.Errorf("the notice is %q, on the screen\n%s", a.st.Notice, got)
		}
		a.typed("hi\n")
		if a.draw(); strings.Contains(dump(s), " 2 new ") {
			t.Errorf("still new after an answer:\n%s", dump(s))
		}
		if a.st = a.st.Open("general").Open("music"); a.st.Current().New != 0 {
			t.Error("new once more")
		}
	})
}

// TestSearchFindsWhatWasSaid, messages and topics, and tells whether more can be
// on hand.
func TestSearchFindsWhatWasSaid(t *testing.T) {
	st := chat().Open("go")
	st = st.Apply(client.Message{Room: "go", Record: comms.Record{Kind: comms.KindTopic, Seq: 2, User: "bob", Content: "Crabs"}})
	st = st.Tell("go", "Crabs").Tell("go", "1 here: dora")
	a, s := showing(t, 80, 24, st)
	defer s.Fini()
	at := func() uint64 { r := a.st.Current(); return r.Lines[len(r.Lines)-1-r.Scroll].Place() }
	if a.search("crabs"); at() != 2 || a.st.Current().Scroll != 2 || a.st.Notice != "" {
		t.Errorf("at %d, scroll %d, %q", at(), a.st.Current().Scroll, a.st.Notice)
	}
	for _, c := range []struct{ text, want string }{
		{"dora", `nothing in #go has "dora"`},
		{"look", ""},
		{"", `no older message in #go has "look"`},
	} {
		a.st.Notice = ""
		if a.search(c.text); a.st.Notice != c.want {
			t.Errorf("%q: %q, want %q", c.text, a.st.Notice, c.want)
		}
	}
	a.st = a.st.Apply(said("go", "bob", "far ahead", 20))
	if a.search("dora"); a.st.Notice != `no older message on hand has "dora"; PgUp loads more` {
		t.Errorf("with a hole: %q", a.st.Notice)
	}
}

// TestGoingBeyondTheEnd says where it is, and shows it.
func TestGoingBeyondTheEnd(t *testing.T) {
	a, s := showing(t, 80, 24, chat().Update("general", func(r *state.Room) { r.Scroll = 2 }))
	defer s.Fini()
	a.typed("/goto 999999\n")
	if r := a.st.Current(); !r.AtEnd() || a.st.Notice != "the newest message of #general is #4" {
		t.Errorf("scroll %d, %q", r.Scroll, a.st.Notice)
	}
}
