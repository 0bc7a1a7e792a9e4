package tui

import (
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestRoomsThatOthersMakeAreSeen where one looks for rooms, and after the router
// was away; not at every look.
func TestRoomsThatOthersMakeAreSeen(t *testing.T) {
	f := serve(t, "go")
	list := func(names ...string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.listed = nil
		for _, name := range names {
			f.listed = append(f.listed, comms.Room{Name: name})
		}
	}
	list("go", "old")
	a, until := visiting(t, "go", f.addr())
	now := noon
	a.opts.Now = func() time.Time { return now }
	a.login(f.addr(), "ada", true)
	until("the rooms of the login", func() bool { return a.st.Room("old") != nil })
	list("go", "old", "made-by-bob")
	if a.openPalette(); a.listing {
		t.Error("what was listed just now is listed again")
	}
	now = now.Add(listAgain)
	a.openPalette()
	until("the room that bob made", func() bool { return a.st.Room("made-by-bob") != nil })
	list("go", "old", "made-by-bob", "made-by-mia")
	now = now.Add(listAgain)
	a.apply(client.RouterLink{Up: true, Addr: f.addr()})
	until("the room that mia made", func() bool { return a.st.Room("made-by-mia") != nil })
	if a.st.Notice != "" {
		t.Errorf("it says %q, unasked", a.st.Notice)
	}
}
