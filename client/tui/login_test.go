package tui

import (
	"testing"

	"positivity-exchange/client/profile"
)

// TestNameGivenForOnceIsNotKept: who types --user beside somebody else's kept
// name does not become that machine's person. What the connect page says is kept.
func TestNameGivenForOnceIsNotKept(t *testing.T) {
	for name, c := range map[string]struct{ kept, flag, login, want string }{
		"the first name of all": {"", "ada", "ada", "ada"},
		"a second person":       {"ada", "eve", "eve", "ada"},
		"answered on the page":  {"ada", "", "eve", "eve"},
		"changed on the page":   {"ada", "eve", "mia", "mia"},
		"a guest":               {"ada", "", "", "ada"},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, "go")
			a, until := visiting(t, "go", f.addr())
			if c.kept != "" {
				if err := profile.KeepUser(c.kept, false); err != nil {
					t.Fatal(err)
				}
			}
			a.opts.User = c.flag
			a.login(f.addr(), c.login, false)
			until("logged in", func() bool { return a.session != nil })
			if got := profile.LastUser(); got != c.want {
				t.Errorf("%q is kept, want %q", got, c.want)
			}
		})
	}
}
