package profile

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// home gives the test a home of its own.
func home(t *testing.T) string {
	dir := t.TempDir()
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(v, filepath.Join(dir, v))
	}
	return dir
}

func TestSavedComesBack(t *testing.T) {
	home(t)
	p, err := Open("ada@localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	if saved, err := p.Load(); err != nil || !reflect.DeepEqual(saved, state.Saved{}) {
		t.Errorf("at first: %+v, %v", saved, err)
	}
	want := state.Saved{User: "ada", Active: "go", Inputs: []string{"a"}, Outbox: []state.SavedMessage{{Room: "go", ID: "i", Text: "t\n", Seen: 4}},
		Rooms: map[string]state.SavedRoom{"go": {Joined: true, Draft: "dr", Read: 7, Level: state.NotifyNone}}}
	records := []comms.Record{{Kind: comms.KindMessage, Seq: 3, User: "bob", Content: "x"}}
	if err := errors.Join(p.Save(want), p.SaveRoom("go", records, 3)); err != nil {
		t.Fatal(err)
	}
	if second, err := Open("ada@localhost:8080"); !errors.Is(err, ErrInUse) {
		t.Errorf("a second client: %v", err)
	} else if err := second.Save(state.Saved{}); err != nil {
		t.Errorf("its save, which is to do nothing: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p, err = Open("ada@localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if saved, err := p.Load(); err != nil || !reflect.DeepEqual(saved, want) {
		t.Errorf("got %+v, %v", saved, err)
	}
	if got, head, err := p.LoadRoom("go"); !reflect.DeepEqual(got, records) || head != 3 || err != nil {
		t.Errorf("got %+v, %d, %v", got, head, err)
	}
}

func TestBrokenFilesAreNamedAndKept(t *testing.T) {
	home(t)
	for name, c := range map[string]struct{ text, want string }{
		"broken":     {"{\n\"version\": 1,\n nonsense", "line 3"},
		"other type": {"{\"version\": 1,\n\"records\": 7, \"inputs\": 7}", "line 2"},
		"the future": {`{"version": 99}`, "version 99"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := os.WriteFile(p.statePath(), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Load(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "client.json") {
				t.Errorf("got %v", err)
			}
			if err := p.Save(state.Saved{User: "ada"}); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(p.statePath()); err != nil || string(b) != c.text {
				t.Errorf("the file was overwritten: %q, %v", b, err)
			}
			if err := os.WriteFile(p.roomPath("go"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			records, _, err := p.LoadRoom("go")
			if records != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), p.roomPath("go")) {
				t.Errorf("a broken cache gave %v, %v", records, err)
			}
			p.readOnly = false // as if the other file were whole
			if err := p.SaveRoom("go", []comms.Record{{Seq: 1}}, 1); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(p.roomPath("go")); err != nil || string(b) != c.text {
				t.Errorf("the cache was overwritten: %q, %v", b, err)
			}
		})
	}
}

// TestFilesThatAPowerCutLeftEmptyAreNone: they are written over, as if they had never been.
func TestFilesThatAPowerCutLeftEmptyAreNone(t *testing.T) {
	home(t)
	for name, text := range map[string]string{"empty": "", "zeros": "\x00\x00\x00"} {
		p, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := errors.Join(os.WriteFile(p.statePath(), []byte(text), 0o600), os.WriteFile(p.roomPath("go"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Load(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := p.LoadRoom("go"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(p.Save(state.Saved{User: "ada"}), p.SaveRoom("go", []comms.Record{{Seq: 1}}, 1)); err != nil {
			t.Fatal(err)
		}
		saved, err := p.Load()
		records, _, err2 := p.LoadRoom("go")
		if err := errors.Join(err, err2); err != nil || saved.User != "ada" || len(records) != 1 {
			t.Errorf("%s: saved again %+v, %v, %v", name, saved, records, err)
		}
	}
}

func TestConfiguration(t *testing.T) {
	dir := home(t)
	c, err := LoadConfig("")
	if err != nil || c.Router != "localhost:8080" || c.Theme != "auto" || !c.Bell {
		t.Fatalf("the defaults: %+v, %v", c, err)
	}
	path := filepath.Join(dir, "client.toml")
	for name, bad := range map[string]struct{ text, want string }{
		"syntax":          {"user = \"a\"\nrouter = = 3\n", "line 2"},
		"unknown setting": {"users = \"a\"\n", `line 1: there is no setting "users"`},
		"unknown table":   {"\n[colours]\nred = 1\n", `line 2: there is no setting "colours`},
		"bad profile":     {"[profiles.work]\nnick = \"a\"\n", "line 2"},
		"bad theme":       {"bell = true\ntheme = \"pink\"\n", "line 2: theme"},
		"bad user":        {"bell = true\nuser = \"Ada\"\n", "line 2: \"Ada\""},
		"bad room":        {"room = \"General\"\n", "line 1: "},
		"profile's user":  {"user = \"ada\"\n[profiles.work]\nuser = \"A b\"\n", "line 3: \"A b\""},
		"bad hours":       {"\n\nquiet = \"late\"\n", "line 3: quiet"},
		"no yes":          {"\nmouse = \"yes\"\n", "line 2: mouse takes true or false"},
		"no number":       {"bell = true\nquiet = 22\n", "line 2: quiet takes a text in quotes"},
		"no list of keys": {"keys = 3\n", "line 1: keys is a table: write [keys] above"},
		"key of a number": {"[keys]\n\"Alt-J\" = 3\n", "line 2: Alt-J takes a text"},
		"flat profile":    {"[profiles]\nwork = \"ada\"\n", "line 2: work is a table: write [profiles.work] above"},
		"profile's room":  {"[profiles.work]\nroom = 1\n", "line 2: room takes a text"},
		"profile's own":   {"[profiles.work]\ncolour = 3\n", `line 2: there is no setting "profiles.work.colour"`},
		"no address":      {"\nrouter = \"a:b:c\"\n", "line 2: \"a:b:c\" is no router's address"},
		"not UTF-8":       {"\nuser = \"\xff\"\n", "line 2"},
	} {
		if err := os.WriteFile(path, []byte(bad.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadConfig(path)
		if err == nil || !strings.Contains(err.Error(), bad.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if c.Router != "localhost:8080" {
			t.Errorf("%s: the client does not start with the defaults", name)
		}
	}
	if _, err := LoadConfig(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that was asked for and is not there")
	}
	good := "user = \"ada\"\nroom = \"#go\"\nquiet = \"22:00-07:00\"\n[keys]\n\"Alt-J\" = \"next-room\"\n[profiles.work]\nrouter = \"w:1\"\n"
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = LoadConfig(path)
	if err != nil || c.User != "ada" || c.Room != "go" || c.Keys["Alt-J"] != "next-room" {
		t.Fatalf("%+v, %v", c, err)
	}
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 30, 0, 0, time.Local) }
	for hour, want := range map[int]bool{21: false, 22: true, 3: true, 6: true, 7: false} {
		if c.IsQuiet(at(hour)) != want {
			t.Errorf("%d:30 quiet: %v", hour, !want)
		}
	}
	if w, err := c.With("work"); err != nil || w.Router != "w:1" || w.User != "ada" {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := c.With("play"); err == nil {
		t.Error("a profile that is not there")
	}
}
