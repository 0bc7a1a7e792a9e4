package tui

import (
	"strings"
	"testing"
)

// inRooms is an app that is in some rooms of a server, the last one open.
func inRooms(t *testing.T, f *fakeServer, rooms ...string) (a *app, until func(what string, holds func() bool)) {
	t.Helper()
	a, until = visiting(t, rooms[0], f.addr())
	a.login(f.addr(), "ada", true)
	until("logged in", func() bool { return a.session != nil && a.st.Router.Up })
	for _, name := range rooms {
		a.open(name)
		until("in #"+name, func() bool { return a.st.Room(name).Joined && !a.st.Room(name).Joining })
	}
	return a, until
}

// told reports whether some line of a room that only its reader sees has text.
func (a *app) told(room, text string) bool {
	for _, l := range a.st.Room(room).Lines {
		if l.Seq == 0 && strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

// TestCommandsActOnTheRoomTheyName, else on the open one.
func TestCommandsActOnTheRoomTheyName(t *testing.T) {
	a, until := inRooms(t, serve(t, "go", "tea"), "go", "tea")
	a.typed("/where #go\n")
	until("told where #go is", func() bool { return a.told("tea", "#go is served by ") })
	a.typed("/where\n")
	until("told where #tea is", func() bool { return a.told("tea", "#tea is served by ") })
	a.typed("/names go\n/names\n")
	if !a.told("tea", "1 in #go: ada") || !a.told("tea", "1 here: ada") {
		t.Errorf("names: %+v", a.st.Current().Lines)
	}
	for _, line := range []string{"/part nowhere\n", "/names #nowhere\n"} {
		a.typed(line)
		until(line, func() bool { return a.st.Notice == "you are not in #nowhere" })
	}
	a.typed("/part #go\n")
	until("#go is left", func() bool { return a.st.Room("go").Place == 0 })
	if a.st.Active != "tea" || !a.st.Room("tea").Joined {
		t.Errorf("then in #%s, #tea joined: %v", a.st.Active, a.st.Room("tea").Joined)
	}
}
