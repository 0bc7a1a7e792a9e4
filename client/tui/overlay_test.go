package tui

import (
	"strings"
	"testing"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// TestLongNamesAreToldApart: in the palette they have the room that there is,
// and what is cut, says so.
func TestLongNamesAreToldApart(t *testing.T) {
	const about = "a description that goes on and on and on, and still goes on, until no window is wide enough for all of it, and then some more"
	st := chat().WithRooms([]comms.Room{{Name: "long-room-name-long-room-one", Description: about}, {Name: "long-room-name-long-room-two"}, {Name: strings.Repeat("x", 64), Description: about}})
	st.Overlay = state.OverlayPalette
	for width, want := range map[int][]string{
		80: {
			"   #general                                  Everything and nothing",
			"   #long-room-name-long-room-one             a description that goes on a…",
			"   #long-room-name-long-room-two",
			"   #xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  a description that goes on a…",
		},
		40: {
			"   #general              Everythi…",
			"   #long-room-name-lon…  a descri…",
			"   #xxxxxxxxxxxxxxxxxx…  a descri…",
		},
	} {
		a, s := showing(t, width, 24, st)
		defer s.Fini()
		a.draw()
		for _, row := range want {
			if !strings.Contains(dump(s), row+"\n") {
				t.Errorf("%d columns: %q is not in\n%s", width, row, dump(s))
			}
		}
	}
	st.Overlay, st.Palette.Query = state.OverlayNone, state.NewInput("")
	for width, want := range map[int]string{
		80: " #long-room-name-long-room-one  a description that goes on and on and on, and …\n",
		40: " #long-room-name-long-room-one  … @1 +1\n",
		28: " #long-room-name-lon… @1 +1\n",
	} {
		a, s := showing(t, width, 24, st.Open("long-room-name-long-room-one"))
		defer s.Fini()
		if a.draw(); !strings.HasPrefix(dump(s), want) {
			t.Errorf("%d columns: %q is not above\n%s", width, want, dump(s))
		}
	}
}
