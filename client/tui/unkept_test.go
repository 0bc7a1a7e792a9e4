package tui

import (
	"context"
	"os"
	"strings"
	"testing"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
)

// TestWhatIsNotKeptIsSaid where the state directory cannot be used: at once, and at
// the end if something is lost.
func TestWhatIsNotKeptIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		typed string
		lost  string
	}{
		"a draft":   {"half a thought", "1 draft"},
		"nothing":   {"", ""},
		"a message": {"hello\nhello\n", "2 messages that were not sent"},
		"both":      {"hello\nhalf", "1 message that was not sent and 1 draft"},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, "general")
			a, until := visiting(t, "general", "")
			ctx, cancel := context.WithCancel(t.Context())
			a.ctx, a.profileOf, a.opts.Routers = ctx, "", []string{f.addr()}
			if err := os.WriteFile(os.Getenv("XDG_STATE_HOME"), nil, 0o600); err != nil { // where a directory should be
				t.Fatal(err)
			}
			a.login(f.addr(), "ada", true)
			until("in the room", func() bool { r := a.st.Current(); return r != nil && r.Joined })
			if !strings.Contains(a.st.Notice, "not a directory") || !strings.HasSuffix(a.st.Notice, "; nothing that you write is kept") {
				t.Errorf("the notice is %q", a.st.Notice)
			}
			f.kill()
			until("the server is missed", func() bool { return !a.st.Router.Up })
			a.typed(c.typed)
			err := a.close(cancel)
			a.st, a.profile, a.session = state.State{}, nil, nil // closed
			switch {
			case c.lost == "" && err != nil:
				t.Errorf("nothing is lost: %v", err)
			case c.lost != "" && (err == nil || !strings.HasPrefix(err.Error(), c.lost+" could not be kept: ")):
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

// TestAProfileInUseKeepsNothing of the second client, which says so at its end too.
func TestAProfileInUseKeepsNothing(t *testing.T) {
	ownHome(t)
	first, err := profile.Open("ada@r:1")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close() //nolint:errcheck // only its lock
	a, s := showing(t, 80, 24, state.State{})
	defer s.Fini()
	a.openProfile("r:1", "ada")
	a.st = a.st.Open("go").Edit(func(in state.Input) state.Input { return in.Set("half a thought") })
	_, cancel := context.WithCancel(t.Context())
	if err := a.close(cancel); err == nil || !strings.Contains(err.Error(), "another client uses this profile") {
		t.Errorf("at the end: %v", err)
	}
}

// TestWhatAnotherProfileHasLostIsSaid when the next is opened, which may keep nothing
// either, and again at the end.
func TestWhatAnotherProfileHasLostIsSaid(t *testing.T) {
	for next, also := range map[string]string{"r:2": "; " + profile.ErrInUse.Error(), "r:3": ""} {
		t.Run(next, func(t *testing.T) {
			ownHome(t)
			for _, place := range []string{"ada@r:1", "ada@r:2"} {
				first, err := profile.Open(place)
				if err != nil {
					t.Fatal(err)
				}
				defer first.Close() //nolint:errcheck // only its lock
			}
			a, s := showing(t, 80, 24, state.State{})
			defer s.Fini()
			a.openProfile("r:1", "ada")
			a.st = a.st.Open("go").Queue("go", "1", "hello", false)
			a.openProfile(next, "ada")
			lost := "1 message that was not sent could not be kept: " + profile.ErrInUse.Error()
			if a.st.Notice != lost+also {
				t.Errorf("the notice is %q", a.st.Notice)
			}
			_, cancel := context.WithCancel(t.Context())
			if err := a.close(cancel); err == nil || err.Error() != lost {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

// TestTheOtherClientKeepsItsOwn: what the second one has only read is not lost with
// it, what it changed is.
func TestTheOtherClientKeepsItsOwn(t *testing.T) {
	for typed, lost := range map[string]string{"": "", " and more": "1 draft"} {
		ownHome(t)
		first, err := profile.Open("ada@r:1")
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close() //nolint:errcheck // only its lock
		if err := first.Save(state.Saved{
			Active: "go", Rooms: map[string]state.SavedRoom{"go": {Draft: "half a thought"}, "tea": {Draft: "/who", Aside: "a line"}},
			Outbox: []state.SavedMessage{{Room: "go", ID: "1", Text: "hello", Failed: "too long"}},
		}); err != nil {
			t.Fatal(err)
		}
		a, s := showing(t, 80, 24, state.State{Page: state.PageChat})
		defer s.Fini()
		a.openProfile("r:1", "ada")
		a.openFirst()
		a.edit(func(in state.Input) state.Input { return in.Insert(typed) })
		_, cancel := context.WithCancel(t.Context())
		err = a.close(cancel)
		if lost == "" && err != nil || lost != "" && (err == nil || !strings.HasPrefix(err.Error(), lost+" could not be kept: ")) {
			t.Errorf("%q typed: %v", typed, err)
		}
	}
}
