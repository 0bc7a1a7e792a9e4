package resources

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestBuiltInRooms(t *testing.T) {
	rooms := Rooms()
	if got, want := len(rooms), 24; got != want {
		t.Errorf("built-in rooms: got %d, want %d", got, want)
	}
	if got, want := rooms[0].Name, "general"; got != want {
		t.Errorf("first room: got %q, want %q", got, want)
	}
	for _, r := range rooms {
		// The wire's alphabet and limits, written out since comms is not imported here.
		if len(r.Name) > 64 || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("room name %q is outside the wire's alphabet", r.Name)
		}
		if r.Description == "" || len(r.Description) > 512 {
			t.Errorf("room %q: description of %d bytes", r.Name, len(r.Description))
		}
	}
}

func TestParseRoomsNamesWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     error
		says     string
	}{
		{"an empty file", " \n", ErrNoRooms, "empty"},
		{"an empty array", "[]", ErrNoRooms, "no rooms"},
		{"null", "null", ErrNoRooms, "no rooms"},
		{"no JSON", "general", ErrNotJSON, "not JSON"},
		{"a second value", `[{"name":"a"}] []`, ErrNotJSON, "after top-level value"},
		{"cut short", `[{"name":"a"}`, ErrNotJSON, "unexpected end"},
		{"an object", `{"name":"a"}`, ErrNotRooms, "not an array"},
		{"an array of strings", `["a"]`, ErrNotRooms, "room 1"},
		{"a null room", `[{"name":"a"},null]`, ErrNotRooms, "room 2"},
		{"a number as name", `[{"name":1}]`, ErrNotRooms, `"name" is not a string`},
		{"an object as name", `[{"name":{"name":"a"}}]`, ErrNotRooms, `"name" is not a string`},
		{"an unknown key", `[{"name":"a","topic":"b"}]`, ErrUnknownKey, `room 1: unknown key "topic"`},
		{"a key of other case", `[{"Name":"a"}]`, ErrUnknownKey, `"Name"`},
		{"a key twice", `[{"name":"a","name":"b"}]`, ErrRepeatedKey, `"name"`},
		{"a name twice", `[{"name":"a"},{"name":"b"},{"name":"a"}]`, ErrNameTwice, `room 3: room name given twice: "a", first as room 1`},
		{"no name", `[{"description":"a"}]`, ErrNoName, "room 1"},
		{"not UTF-8", "[{\"name\":\"\xff\"}]", ErrNotUTF8, "byte 10"},
		{"too large", "[" + strings.Repeat(" ", MaxRoomsFile) + "]", ErrTooLarge, "1 MiB"},
		{"nested without end", strings.Repeat("[", 100000), ErrNotJSON, "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rooms, err := ParseRooms(strings.NewReader(tt.in))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, %v; want %v", rooms, err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

func TestLoadRooms(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rooms.json")
	if err := os.WriteFile(path, []byte(`[{"description":"d","name":"b"},{"name":"a"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	rooms, err := LoadRooms(path)
	if err != nil || len(rooms) != 2 || rooms[0] != (Room{"b", "d"}) || rooms[1] != (Room{"a", ""}) {
		t.Errorf("got %v, %v; want b and a in the file's order", rooms, err)
	}
	if _, err := LoadRooms(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none") {
		t.Errorf("missing file: got %v", err)
	}
	if _, err := LoadRooms(dir); !errors.Is(err, ErrNotAFile) {
		t.Errorf("directory: got %v, want %v", err, ErrNotAFile)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRooms(pipe); !errors.Is(err, ErrNotAFile) {
		t.Errorf("named pipe: got %v, want %v", err, ErrNotAFile)
	}
}

func FuzzParseRooms(f *testing.F) {
	f.Add(string(builtIn))
	f.Add(`[{"name":"a","description":"b"}]`)
	f.Add(`[{"name":"a","name":"b"}]`)
	f.Add("[{\"name\":\"\\ud800\"}]")
	f.Fuzz(func(t *testing.T, in string) {
		rooms, err := ParseRooms(strings.NewReader(in))
		if err != nil {
			return
		}
		if len(rooms) == 0 {
			t.Error("no rooms and no error")
		}
		seen := map[string]bool{}
		for _, r := range rooms {
			if r.Name == "" || seen[r.Name] {
				t.Errorf("name %q is empty or repeated", r.Name)
			}
			seen[r.Name] = true
		}
	})
}
