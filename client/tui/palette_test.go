package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// TestEveryRoomIsInThePalette, and where there is no room for all it says so.
func TestEveryRoomIsInThePalette(t *testing.T) {
	var rooms []comms.Room
	for i := range 200 {
		rooms = append(rooms, comms.Room{Name: fmt.Sprintf("room-%03d", i)})
	}
	for _, query := range []string{"", "#", "room"} {
		st := state.State{Page: state.PageChat, User: "ada", Now: noon}.WithRooms(rooms).Open("room-000")
		st.Overlay, st.Palette.Query = state.OverlayPalette, state.NewInput(query)
		a, s := showing(t, 80, 24, st)
		defer s.Fini()
		a.draw()
		if !strings.Contains(dump(s), "rooms, people, commands: 1-19 of 200") {
			t.Errorf("%q:\n%s", query, dump(s))
		}
		for range 119 {
			a.input(tcell.NewEventKey(tcell.KeyDown, 0, tcell.ModNone))
		}
		a.draw()
		if got := dump(s); !strings.Contains(got, "room-119") || !strings.Contains(got, ": 102-120 of 200") {
			t.Errorf("%q, 119 down:\n%s", query, got)
		}
	}
}
