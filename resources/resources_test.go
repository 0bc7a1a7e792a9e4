package resources

import (
	"strings"
	"testing"
)

func TestEmbeddedRooms(t *testing.T) {
	rooms, err := Rooms()
	if err != nil || len(rooms) != 24 || rooms[0].Name != "general" {
		t.Errorf("%d rooms, first %+v, %v", len(rooms), rooms[:1], err)
	}
}

func TestBadRoomsFilesSayWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"empty":       {"", "JSON"},
		"no rooms":    {"[]", "no room"},
		"not JSON":    {"rooms", "JSON"},
		"twice":       {`[{"name":"a"},{"name":"a"}]`, "twice"},
		"unknown key": {`[{"name":"a","color":1}]`, "color"},
		"no name":     {`[{"description":"b"}]`, "no name"},
		"not UTF-8":   {"[{\"name\":\"\xff\"}]", "UTF-8"},
		"trailing":    {`[{"name":"a"}] x`, "follows"},
		"too large":   {strings.Repeat(" ", maxFile+1), "larger"},
	} {
		if _, err := parseRooms([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want one that names %q", name, err, c.want)
		}
	}
	if _, err := LoadRooms(t.TempDir()); err == nil {
		t.Error("a directory was taken for a rooms file")
	}
}

func FuzzParseRooms(f *testing.F) {
	f.Add([]byte(`[{"name":"a","description":"b"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if rooms, err := parseRooms(b); err == nil && len(rooms) == 0 {
			t.Fatal("no rooms and no error")
		}
	})
}
