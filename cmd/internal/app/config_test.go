package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoomsOfAFileAreThoseThatCouldBeCreated: what no command may create, a
// rooms file may not bring either.
func TestRoomsOfAFileAreThoseThatCouldBeCreated(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"a name":      {`[{"name":"A b"}]`, `"A b" is no room name`},
		"two lines":   {`[{"name":"a","description":"one\ntwo"}]`, `room "a": the text has the control character U+000A`},
		"an escape":   {`[{"name":"a","description":"\u001b[2J"}]`, "U+001B"},
		"a long text": {`[{"name":"a","description":"` + strings.Repeat("x", 513) + `"}]`, "513 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "rooms.json")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if rooms, err := (Config{RoomsFile: path}).rooms(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v; want an error that names the file and %q", name, rooms, err, c.want)
		}
	}
	if rooms, err := (Config{}).rooms(); err != nil || len(rooms) != 24 {
		t.Errorf("%d rooms that come with the program, %v", len(rooms), err)
	}
}

// TestDefaultDataFollowsTheSpecification of the XDG base directories, by which
// a relative one counts for nothing.
func TestDefaultDataFollowsTheSpecification(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	for dir, want := range map[string]string{
		"":           "/home/ada/.local/share/positivity-exchange",
		"share":      "/home/ada/.local/share/positivity-exchange",
		"/srv/share": "/srv/share/positivity-exchange",
	} {
		t.Setenv("XDG_DATA_HOME", dir)
		if got := DefaultData(); got != want {
			t.Errorf("with XDG_DATA_HOME=%q: %s, want %s", dir, got, want)
		}
	}
}
