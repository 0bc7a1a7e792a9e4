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
