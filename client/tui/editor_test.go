package tui

import (
	"os"
	"path/filepath"
	"testing"

	"positivity-exchange/client"
)

// TestTheEditorWritesIntoTheRoomThatItWasOpenedIn, also when another one is open by
// its end: rooms are left and refused meanwhile.
func TestTheEditorWritesIntoTheRoomThatItWasOpenedIn(t *testing.T) {
	editor := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\necho for go alone > \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", editor)
	for name, c := range map[string]struct {
		meanwhile      func(*app)
		open, tea, say string
	}{
		"nothing happens": {func(*app) {}, "go", "half", ""},
		"it is left":      {func(a *app) { a.apply(client.Left{Room: "go"}) }, "tea", "half", "what you wrote is in the line of #go"},
		"it has gone":     {func(a *app) { a.st = a.st.Forget("go") }, "tea", "half", "what you wrote is in the line of #go"},
	} {
		t.Run(name, func(t *testing.T) {
			a, until := visiting(t, "tea", "")
			a.typed("half")
			a.st = a.st.Open("go").Take("go")
			a.editor()
			c.meanwhile(a)
			until("the editor has ended", func() bool { return !a.suspended })
			if r := a.st.Room("go"); r == nil || r.Draft.String() != "for go alone" || a.st.Active != c.open || a.st.Room("tea").Draft.String() != c.tea || a.st.Notice != c.say {
				t.Errorf("in #%s with the notice %q: %+v", a.st.Active, a.st.Notice, a.st.Rooms)
			}
		})
	}
}
