package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// away is a room of n messages of which the oldest and the newest hundred are
// there, as after a long absence.
func away(n int) state.State {
	st := room(1, 100)
	p := comms.HistoryPage{Head: uint64(n)}
	for seq := uint64(n - 99); seq <= uint64(n); seq++ {
		p.Records = append(p.Records, said("go", "bob", fmt.Sprintf("message %d", seq), seq).Record)
	}
	return st.WithHistory("go", p)
}

// TestNothingIsJumpedOver: whoever holds PgUp or PgDn passes by every message, also
// where most of them come by the page and slower than the key.
func TestNothingIsJumpedOver(t *testing.T) {
	const n = 700
	f := serve(t, "go")
	f.past = n
	a, until := visiting(t, "go", f.addr())
	a.st = away(n)
	a.login(f.addr(), "ada", true)
	until("connected", func() bool { return a.session != nil })
	for key, done := range map[tcell.Key]string{tcell.KeyPgUp: "message 1\n", tcell.KeyPgDn: fmt.Sprintf("message %d\n", n)} {
		a.st = away(n)
		if key == tcell.KeyPgDn {
			a.goTo("20")
		}
		a.draw()
		seen := dump(a.screen.(tcell.SimulationScreen))
		for presses := 0; !strings.Contains(seen, done); presses++ {
			for range 3 { // faster than any answer
				press(a, key)
				seen += dump(a.screen.(tcell.SimulationScreen))
			}
			until("what is missing there is loaded", func() bool { return !a.st.Current().Loading })
			a.draw()
			seen += dump(a.screen.(tcell.SimulationScreen))
			if presses > n {
				t.Fatalf("%s: the end is not reached", tcell.KeyNames[key])
			}
		}
		missed := 0
		for seq := 21; seq <= n; seq++ {
			if !strings.Contains(seen, fmt.Sprintf("message %d\n", seq)) {
				missed++
			}
		}
		if missed > 0 {
			t.Errorf("%s: %d messages were jumped over", tcell.KeyNames[key], missed)
		}
	}
}

// TestAPageThatDoesNotComeStopsNobody from reading what is above it: it was waited
// for, or it cannot be read.
func TestAPageThatDoesNotComeStopsNobody(t *testing.T) {
	for name, code := range map[string]string{"not now": comms.CodeStorage, "never": comms.CodeInternal} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, "go")
			f.damage = code
			a, until := visiting(t, "go", f.addr())
			a.st = away(700)
			a.login(f.addr(), "ada", true)
			until("connected", func() bool { return a.session != nil })
			a.st = away(700)
			a.draw()
			up := func() (screen string) {
				for range 100 {
					press(a, tcell.KeyPgUp)
				}
				return dump(a.screen.(tcell.SimulationScreen))
			}
			if got := up(); !strings.Contains(got, "message 601\n") {
				t.Fatalf("it was jumped over, asked for or not:\n%s", got)
			}
			if code == comms.CodeInternal {
				until("it is refused", func() bool { return !a.st.Current().Loading })
			} else {
				a.st.Now = a.st.Now.Add(answerWithin)
			}
			if got := up(); !strings.Contains(got, "message 1\n") {
				t.Errorf("above it there is more, but shown is\n%s", got)
			}
		})
	}
}
