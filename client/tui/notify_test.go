package tui

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
)

// TestWhatIsToldOf goes through levels, focus, rooms and hours.
func TestWhatIsToldOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.toml")
	if err := os.WriteFile(path, []byte("quiet = \"22:00-07:00\""), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := profile.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		room, level, user, text string
		blurred, scrolled       bool
		hour                    int
		ring, show              bool
	}{
		"a mention elsewhere":               {room: "go", text: "ada!", ring: true, show: true},
		"a mention on the screen":           {room: "general", text: "ada!"},
		"a mention below what is shown":     {room: "general", text: "ada!", scrolled: true, ring: true, show: true},
		"anything below what is shown":      {room: "general", text: "hi", scrolled: true},
		"a mention while one looks away":    {room: "general", text: "ada!", blurred: true, ring: true, show: true},
		"anything elsewhere":                {room: "go", text: "hi"},
		"anything while one looks away":     {room: "go", text: "hi", blurred: true, show: true},
		"anything, mentions only":           {room: "go", text: "hi", blurred: true, level: state.NotifyMentions},
		"a mention, mentions only":          {room: "go", text: "ada", blurred: true, level: state.NotifyMentions, ring: true, show: true},
		"a mention in a muted room":         {room: "go", text: "ada", blurred: true, level: state.NotifyNone},
		"a mention at night":                {room: "go", text: "ada", blurred: true, hour: 23},
		"an own message of another session": {room: "go", text: "ada", user: "ada", blurred: true},
	} {
		st := chat().Update(c.room, func(r *state.Room) {
			if r.Level = c.level; c.scrolled {
				r.Under = 1
			}
		}).Focus(!c.blurred)
		a, s := showing(t, 80, 24, st)
		if c.hour == 0 {
			c.hour = 12
		}
		if c.user == "" {
			c.user = "bob"
		}
		a.opts.Config = config
		a.opts.Now = func() time.Time { return time.Date(2026, 1, 1, c.hour, 0, 0, 0, time.Local) }
		if ring, show := a.tells(st, said(c.room, c.user, c.text, 99)); ring != c.ring || show != c.show {
			t.Errorf("%s: rings %v, shows %v", name, ring, show)
		}
		s.Fini()
	}
}

// TestNotificationsThroughTmux are wrapped, so that tmux hands them on.
func TestNotificationsThroughTmux(t *testing.T) {
	t.Setenv("TMUX", "")
	for kind, want := range map[string]string{
		"osc9": "\x1b]9;bob: a,b\x1b\\", "osc777": "\x1b]777;notify;bob;a,b\x1b\\", "none": "",
		"osc99": "\x1b]99;i=px:d=0;bob\x1b\\\x1b]99;i=px:p=body;a,b\x1b\\",
	} {
		if got := notification(kind, "bob", "a;b"); got != want {
			t.Errorf("%s: %q", kind, got)
		}
	}
	t.Setenv("TMUX", "/tmp/x,1,0")
	if got, want := notification("osc9", "bob", "hi"), "\x1bPtmux;\x1b\x1b]9;bob: hi\x1b\x1b\\\x1b\\"; got != want {
		t.Errorf("behind tmux: %q", got)
	}
}

func TestMouse(t *testing.T) {
	a, s := showing(t, 80, 24, full())
	defer s.Fini()
	a.draw()
	a.input(tcell.NewEventMouse(40, 10, tcell.WheelUp, tcell.ModNone))
	if r := a.st.Current(); r.Scroll != 1 || r.Under != 1 { // three rows, two of each message
		t.Errorf("the wheel scrolled by %d lines and %d rows", r.Scroll, r.Under)
	}
	a.input(tcell.NewEventMouse(40, 10, tcell.WheelDown, tcell.ModNone))
	a.input(tcell.NewEventMouse(3, 5, tcell.Button1, tcell.ModNone))
	if !a.st.Room("room-000").AtEnd() || a.st.Active != "room-004" {
		t.Errorf("then by %d; the click opened %s", a.st.Room("room-000").Scroll, a.st.Active)
	}
	for _, at := range [][2]int{{3, 0}, {3, 23}, {79, 23}, {0, 0}} {
		a.input(tcell.NewEventMouse(at[0], at[1], tcell.Button1, tcell.ModNone))
	}
}
