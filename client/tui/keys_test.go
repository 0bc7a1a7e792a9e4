package tui

import "testing"

func TestKeysCanBeBoundAnew(t *testing.T) {
	b, err := bind(map[string]string{"Alt-J": "next-room", "Ctrl-N": "none", "F5": "redraw"})
	if err != nil || b["Alt-J"].name != "next-room" || b["F5"].name != "redraw" {
		t.Errorf("%v", err)
	}
	if _, bound := b["Ctrl-N"]; bound {
		t.Error("Ctrl-N is still bound")
	}
	for key, action := range map[string]string{"Alt-Q": "fly", "Hyper-X": "quit", "x": "quit", "": "quit", "F13": "quit"} {
		if err := CheckKeys(map[string]string{key: action}); err == nil {
			t.Errorf("%q = %q was taken", key, action)
		}
	}
}

// TestEveryActionHasAKeyThatReachesIt guards the names of keys against slips.
func TestEveryActionHasAKeyThatReachesIt(t *testing.T) {
	seen := map[string]string{}
	for _, act := range actions() {
		for _, k := range act.keys {
			if !validKey(k) {
				t.Errorf("%s: %q is no key", act.name, k)
			}
			if other, twice := seen[k]; twice {
				t.Errorf("%s is bound to %s and to %s", k, other, act.name)
			}
			seen[k] = act.name
		}
	}
}
