package tui

import (
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
)

func (a *app) clicked(x, y int, button tcell.ButtonMask) {
	a.input(tcell.NewEventMouse(x, y, button, tcell.ModNone))
	a.draw()
}

// TestTheMouseReachesWhatIsOnTop, and nothing below it.
func TestTheMouseReachesWhatIsOnTop(t *testing.T) {
	for _, overlay := range []int{state.OverlayHelp, state.OverlayPalette, state.OverlayBare, state.OverlayPreview} {
		a, s := showing(t, 80, 20, pasted())
		defer s.Fini()
		a.draw() // so that the rooms have their rows
		a.st.Overlay, a.st.Paste, a.st.PasteRoom = overlay, strings.Repeat("a line\n", 9)+"end", "general"
		a.draw()
		before := dump(s)
		a.clicked(2, 2, tcell.Button1)
		if a.st.Active != "general" || a.st.Overlay != overlay || dump(s) != before {
			t.Errorf("overlay %d: a click led to #%s and overlay %d", overlay, a.st.Active, a.st.Overlay)
		}
		button, back := tcell.WheelDown, tcell.WheelUp
		if overlay == state.OverlayBare {
			button, back = back, button
		}
		a.clicked(2, 2, button)
		if moved := dump(s) != before || a.st.Palette.Chosen == 1; moved != (overlay != state.OverlayPreview) {
			t.Errorf("overlay %d: by the wheel it moved: %v", overlay, moved)
		}
		if r := a.st.Current(); overlay != state.OverlayBare && !r.AtEnd() {
			t.Errorf("overlay %d: what is below it was scrolled", overlay)
		}
		for range 2 {
			a.clicked(2, 2, back)
		}
		if dump(s) != before || a.st.Palette.Chosen != 0 {
			t.Errorf("overlay %d, and back:\n%s", overlay, dump(s))
		}
	}
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	a.draw()
	a.clicked(2, 2, tcell.Button1)
	if a.st.Active != "go" {
		t.Errorf("a click led to #%s", a.st.Active)
	}
	a.st.Page = state.PageConnect
	a.clicked(2, 1, tcell.Button1)
	if a.st.Active != "go" {
		t.Errorf("from the connect page a click led to #%s", a.st.Active)
	}
}

// TestAPasteStaysInItsRoom, though another one opens before it is taken.
func TestAPasteStaysInItsRoom(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	a.input(tcell.NewEventPaste(true))
	a.typed(strings.Repeat("a secret\n", 6))
	a.input(tcell.NewEventPaste(false))
	a.st = a.st.Open("go").Apply(client.Joined{Room: "go", Users: []string{"ada"}, Count: 1})
	a.typed("\n")
	if r := a.st.Room("general"); !strings.HasPrefix(r.Draft.String(), "a secret\n") || !a.st.Room("go").Draft.Empty() || a.st.Notice != "the paste is in the line of #general" {
		t.Errorf("#general has %q, #go %q; the notice is %q", r.Draft.String(), a.st.Room("go").Draft.String(), a.st.Notice)
	}
}
