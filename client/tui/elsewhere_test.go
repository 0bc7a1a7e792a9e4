package tui

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// wasHere leaves a visit of ada's to a cluster: a message that was read, one that
// waits to be sent, and a draft.
func wasHere(t *testing.T, addr, cluster string) {
	t.Helper()
	p, err := profile.Open("ada@" + addr)
	if err != nil {
		t.Fatal(err)
	}
	p.Belong(cluster)
	if err := errors.Join(
		p.Save(state.Saved{
			User: "ada", Active: "go", Rooms: map[string]state.SavedRoom{"go": {Joined: true, Place: 1, Draft: "so "}},
			Outbox: []state.SavedMessage{{Room: "go", ID: "old.1", Text: "meant for A"}},
		}),
		p.SaveRoom("go", []comms.Record{{Kind: comms.KindMessage, Seq: 1, User: "bob", Content: "said in A"}}, 1),
		p.Close(), profile.SetPlace(addr, []string{addr}, cluster),
	); err != nil {
		t.Fatal(err)
	}
}

// TestAnotherClusterAnswers where the first one was: nothing of the first is shown
// as its, or sent to it, nor is what somebody types on. All of it is there when the
// first answers again.
func TestAnotherClusterAnswers(t *testing.T) {
	f := serve(t, "general", "go")
	start := func() (a *app, until func(string, func() bool)) {
		a, until = visiting(t, "go", "")
		a.st, a.profileOf, a.opts.Routers = state.State{Now: noon, Connect: state.Connect{Router: state.NewInput(f.addr())}}, "", []string{f.addr()}
		return a, until
	}
	f.name = "B"
	a, until := start()
	home := os.Getenv("XDG_STATE_HOME")
	wasHere(t, f.addr(), "A")
	drawn := func() string { a.draw(); return dump(a.screen.(tcell.SimulationScreen)) }
	a.start(f.addr(), "ada")
	if got := drawn(); !strings.Contains(got, "said in A") {
		t.Errorf("before any answer:\n%s", got)
	}
	a.typed("half a ")
	until("in the other's room", func() bool { r := a.st.Current(); return r != nil && r.Joined })
	if got := drawn(); strings.Contains(got, " A") || strings.Contains(got, "half") || !strings.Contains(got, "another cluster than last time answers at "+f.addr()) || !strings.Contains(got, "Enter goes on") || a.st.Active != "general" {
		t.Errorf("in #%s:\n%s", a.st.Active, got)
	}
	a.input(tcell.NewEventPaste(true))
	a.typed("pasted\n")
	a.input(tcell.NewEventPaste(false))
	a.typed("sentence\nfor B\n")
	until("the message is stored", func() bool { r := a.st.Current(); return len(r.Waiting) == 0 && r.Last == 1 })
	if said := f.texts(); !slices.Equal(said, []string{"for B"}) {
		t.Errorf("the other one heard %q", said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := a.close(cancel); err != nil || ctx.Err() == nil {
		t.Fatal(err)
	}
	a.profile, a.session = nil, nil

	f.mu.Lock()
	f.name, f.said = "A", nil
	f.mu.Unlock()
	b, until := start()
	t.Setenv("XDG_STATE_HOME", home) // the same person's
	b.start(f.addr(), "ada")
	until("in the first one's room", func() bool {
		r := b.st.Current()
		return r != nil && r.Joined && len(r.Waiting) == 0 && b.session != nil
	})
	if r := b.st.Current(); r.Name != "go" || r.Draft.String() != "so half a " {
		t.Errorf("in #%s, with %q", r.Name, r.Draft.String())
	}
	if said := f.texts(); !slices.Equal(said, []string{"meant for A"}) {
		t.Errorf("the first one heard %q", said)
	}
}

// TestGuestHasNothingOfAnothers: who came as ada and goes on as a guest says
// nothing that ada wrote.
func TestGuestHasNothingOfAnothers(t *testing.T) {
	f := serve(t, "general", "go")
	f.name = "A"
	a, until := visiting(t, "go", "")
	wasHere(t, f.addr(), "A")
	a.openProfile(f.addr(), "ada")
	a.st.Page = state.PageConnect // her name was refused
	a.login(f.addr(), "", false)
	until("in a room", func() bool { r := a.st.Current(); return r != nil && r.Joined })
	if a.st.Active != "general" || a.profile != nil || len(f.texts()) > 0 {
		t.Errorf("in #%s, %q was said", a.st.Active, f.texts())
	}
}

// TestWhatGoesOnIsShown for as long as all other keys are swallowed, whatever else
// there is to say.
func TestWhatGoesOnIsShown(t *testing.T) {
	for _, notice := range []string{"there is no room #general; /create general makes it", strings.Repeat("many words ", 50)} {
		a, s := showing(t, 80, 24, chat())
		defer s.Fini()
		a.elsewhere = true
		a.say("%s", notice)
		a.typed("/create general")
		if a.draw(); !strings.Contains(dump(s), "Enter goes on") || !strings.Contains(dump(s), notice[:30]) {
			t.Errorf("on the screen:\n%s", dump(s))
		}
		a.typed("\nx")
		if a.draw(); strings.Contains(dump(s), "Enter goes on") || a.st.Current().Draft.String() != "x" {
			t.Errorf("behind it:\n%s", dump(s))
		}
	}
}

// texts are what was said.
func (f *fakeServer) texts() (texts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.said {
		texts = append(texts, m.Content)
	}
	return texts
}

// foreign is what a session tells whose routers are another cluster's and a dead one's.
func foreign() []client.Event {
	other, dead := client.RouterLink{Addr: "r:1", Err: client.ErrAnotherCluster}, client.RouterLink{Addr: "r:2", Err: errors.New("refused")}
	return []client.Event{client.RouterLink{Addr: "r:1", Up: true}, dead, dead, other, other, dead, other, dead, client.RouterLink{Addr: "r:2", Up: true}, other}
}

// TestPlainSaysOnceThatAnotherClusterAnswers, however often it is asked meanwhile.
func TestPlainSaysOnceThatAnotherClusterAnswers(t *testing.T) {
	var out strings.Builder
	p := &plainClient{PlainOptions: PlainOptions{Out: &out}}
	for _, e := range foreign() {
		p.event(e)
	}
	const said = "* another cluster answers at r:1: nothing is sent there\n"
	if want := "* no router answers, trying the next\n" + said + said; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestItIsSaidOnceThatAnotherClusterAnswers, and stays in the status line.
func TestItIsSaidOnceThatAnotherClusterAnswers(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	said := 0
	for i, e := range foreign() {
		a.st.Notice = ""
		if a.apply(e); a.st.Notice != "" {
			said++
		}
		status := a.st.Status(a.st.Current(), 80, false)
		if away := i >= 3 && i != 8; strings.Contains(status, "another cluster answers at r:1") != away || away && strings.Contains(status, "no router") {
			t.Errorf("behind the %d. event: %q", i, status)
		}
	}
	if said != 2 {
		t.Errorf("it was said %d times", said)
	}
}
