package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
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
