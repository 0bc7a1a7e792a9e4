package tui

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"go.uber.org/goleak"

	"positivity-exchange/client"
	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

func TestMain(m *testing.M) {
	for _, v := range []string{"TMUX", "NO_COLOR"} { // whoever tests may live in one and want the other
		os.Unsetenv(v) //nolint:errcheck // fails for no name that is one
	}
	goleak.VerifyTestMain(m)
}

// ownHome gives the test a home of its own and returns where it is.
func ownHome(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(v, filepath.Join(dir, v))
	}
	return dir
}

// TestRunWithoutAServer starts where the last visit ended, takes a message, and
// ends with everything it started; what was written is on disk. The server
// takes connections and says nothing at all.
func TestRunWithoutAServer(t *testing.T) {
	dir := ownHome(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // it is over
	router := silent.Addr().String()
	p, err := profile.Open("ada@" + router)
	if err != nil {
		t.Fatal(err)
	}
	before := state.Saved{User: "ada", Active: "go", Rooms: map[string]state.SavedRoom{"go": {Joined: true, Place: 1, Draft: "so ", Read: 1}}}
	if err := errors.Join(p.Save(before), p.SaveRoom("go", []comms.Record{{Kind: comms.KindMessage, Seq: 1, User: "bob", Content: "old"}}, 1), p.Close()); err != nil {
		t.Fatal(err)
	}
	s := &opened{tcell.NewSimulationScreen("UTF-8"), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Options{Routers: []string{router}, User: "ada", Screen: s}) }()
	<-s.opened
	for _, r := range "what" {
		s.InjectKey(tcell.KeyRune, r, tcell.ModNone)
	}
	s.InjectKey(tcell.KeyEnter, 0, tcell.ModNone)
	files := filepath.Join(dir, "XDG_STATE_HOME", "positivity-exchange", "ada*", "client.json")
	deadline := time.After(10 * time.Second)
	for {
		// Read past the profile's lock, which is the client's.
		names, _ := filepath.Glob(files)
		if len(names) == 1 {
			if b, err := os.ReadFile(names[0]); err == nil && strings.Contains(string(b), "so what") {
				break
			}
		}
		select {
		case <-deadline:
			t.Fatal("what was typed is not on disk")
		case err := <-ended:
			t.Fatalf("ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if p, err = profile.Open("ada@" + router); err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // only its lock
	got, err := p.Load()
	if err != nil || len(got.Outbox) != 1 || got.Outbox[0].Text != "so what" || got.Rooms["go"].Draft != "" || got.Active != "go" {
		t.Errorf("saved: %+v, %v", got, err)
	}
}

// opened tells when its screen is there.
type opened struct {
	tcell.SimulationScreen
	opened chan struct{}
}

func (o *opened) Init() error {
	defer close(o.opened)
	return o.SimulationScreen.Init()
}

// TestWhatCouldNotBeSavedIsSavedLater, and at the end it is an error.
func TestWhatCouldNotBeSavedIsSavedLater(t *testing.T) {
	dir := ownHome(t)
	a, s := showing(t, 80, 24, state.State{})
	defer s.Fini()
	a.openProfile("r:1", "ada")
	a.st = a.st.Open("go").Edit(func(in state.Input) state.Input { return in.Set("a draft") })
	home := filepath.Join(dir, "XDG_STATE_HOME")
	if err := os.Rename(home, home+"-away"); err != nil { // as if the disk were full
		t.Fatal(err)
	}
	if err := a.save(true); err == nil || a.st.Notice == "" {
		t.Errorf("saved nowhere: %v, %q", err, a.st.Notice)
	}
	if err := os.Rename(home+"-away", home); err != nil {
		t.Fatal(err)
	}
	if err := a.save(true); err != nil {
		t.Error(err)
	}
	if saved, err := a.profile.Load(); err != nil || saved.Rooms["go"].Draft != "a draft" {
		t.Errorf("%+v, %v", saved, err)
	}
	if err := a.profile.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAnotherNameOpensAnotherProfile: what one wrote must not become the next
// one's.
func TestAnotherNameOpensAnotherProfile(t *testing.T) {
	ownHome(t)
	a, s := showing(t, 80, 24, state.State{})
	defer s.Fini()
	if a.openProfile("r:1", "ada") {
		t.Error("there was a visit before the first")
	}
	a.st = a.st.Open("go").Edit(func(in state.Input) state.Input { return in.Set("ada's secret") })
	if a.openProfile("r:1", "bob") || len(a.st.Rooms) != 0 || a.st.User != "bob" {
		t.Errorf("bob has %d rooms, as %s", len(a.st.Rooms), a.st.User)
	}
	if !a.openProfile("r:1", "ada") || a.st.Room("go").Draft.String() != "ada's secret" {
		t.Error("ada's draft is gone")
	}
	if err := a.profile.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNextVisitShowsTheTopic from the disk, without a cluster: nothing is missing
// behind it.
func TestNextVisitShowsTheTopic(t *testing.T) {
	ownHome(t)
	a, s := showing(t, 80, 24, state.State{Page: state.PageChat})
	defer s.Fini()
	a.openProfile("r:1", "ada")
	a.st = a.st.Open("go").Take("go")
	topic := said("go", "bob", "Tea at four", 2)
	topic.Kind = comms.KindTopic
	for _, m := range []client.Message{said("go", "bob", "before", 1), topic, said("go", "bob", "after", 3)} {
		a.apply(m)
	}
	if err := errors.Join(a.save(true), a.profile.Close()); err != nil {
		t.Fatal(err)
	}
	a, s = showing(t, 80, 24, state.State{Page: state.PageChat, Offline: "no server at r:1"})
	defer s.Fini()
	a.openProfile("r:1", "ada")
	a.open("go")
	a.draw()
	if got := dump(s); !strings.Contains(got, "bob set the topic: Tea at four") || !strings.Contains(got, "#1-3, no gaps") || strings.Contains(got, "not loaded") {
		t.Errorf("from the disk:\n%s", got)
	}
	if err := a.profile.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestARoomToOpenFirst that cannot be leads to the last one, else to general,
// and why is said.
func TestARoomToOpenFirst(t *testing.T) {
	for name, c := range map[string]struct{ ask, last, want, notice string }{
		"no such name":           {"Bad Room", "tea", "tea", `"Bad Room" is no room name; use 1 to 64 of a-z, 0-9 and '-'`},
		"no such name, no visit": {"Bad Room", "", "general", `"Bad Room" is no room name; use 1 to 64 of a-z, 0-9 and '-'`},
		"no such room":           {"nowhere", "tea", "tea", "there is no room #nowhere; /create nowhere makes it"},
		"no such room, no visit": {"nowhere", "", "general", "there is no room #nowhere; /create nowhere makes it"},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, "books", "general", "tea")
			a, until := visiting(t, "tea", f.addr())
			a.st = a.st.WithRooms([]comms.Room{{Name: "books"}})
			if a.opts.Room, a.st.Active = c.ask, c.last; c.last == "" {
				a.st = a.st.Apply(client.Left{Room: "tea"})
			}
			a.openFirst()
			a.login(f.addr(), "ada", true)
			until("in a room", func() bool { r := a.st.Current(); return r != nil && r.Joined && a.st.Notice != "" })
			if a.st.Active != c.want || a.st.Notice != c.notice || a.st.Room("books").Joined {
				t.Errorf("in #%s, with %q", a.st.Active, a.st.Notice)
			}
		})
	}
}
