package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
)

// TestRoomsOutOfSightAreCounted: the list says how many are above and below it,
// the active room is in it, and a click opens what it hits.
func TestRoomsOutOfSightAreCounted(t *testing.T) {
	st := state.State{Page: state.PageChat, User: "ada", Now: noon}
	for i := range 24 {
		st = st.Apply(client.Joined{Room: fmt.Sprintf("r%02d", i)})
	}
	for active, want := range map[int][2]string{ // the first row and the last, of 20
		0:  {"r00", "↓ 5 more"},
		18: {"r00", "↓ 5 more"},
		19: {"↑ 2 more", "↓ 4 more"},
		20: {"↑ 3 more", "↓ 3 more"},
		21: {"↑ 4 more", "↓ 2 more"},
		22: {"↑ 5 more", "r23"},
		23: {"↑ 5 more", "r23"},
	} {
		name := fmt.Sprintf("r%02d", active)
		a, s := showing(t, 80, 24, st.Open(name))
		defer s.Fini()
		a.draw()
		var list []string
		for _, row := range strings.Split(dump(s), "\n")[1:21] {
			room, _, _ := strings.Cut(row, "│")
			list = append(list, strings.TrimSpace(room))
		}
		if list[0] != want[0] || list[19] != want[1] || !strings.Contains(strings.Join(list, " "), name) {
			t.Errorf("in %s:\n%s", name, strings.Join(list, "\n"))
		}
		for i, room := range list {
			a.input(tcell.NewEventMouse(3, 1+i, tcell.Button1, tcell.ModNone))
			if strings.Contains(room, "more") {
				room = a.st.Active // nothing happens
			}
			if a.st.Active != room {
				t.Errorf("a click on %q opened %q", room, a.st.Active)
			}
		}
		before := a.st.Active
		if a.input(tcell.NewEventMouse(3, 22, tcell.Button1, tcell.ModNone)); a.st.Active != before {
			t.Errorf("a click below the list opened %q", a.st.Active)
		}
	}
	a, s := showing(t, 80, 24, state.State{Page: state.PageChat, Now: noon, Rooms: st.Rooms[:20]}.Open("r19"))
	defer s.Fini()
	if a.draw(); strings.Contains(dump(s), " more") {
		t.Errorf("all are there:\n%s", dump(s))
	}
}
