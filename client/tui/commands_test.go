package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// inRooms is an app that is in some rooms of a server, the last one open.
func inRooms(t *testing.T, f *fakeServer, rooms ...string) (a *app, until func(what string, holds func() bool)) {
	t.Helper()
	a, until = visiting(t, rooms[0], f.addr())
	a.login(f.addr(), "ada", true)
	until("logged in", func() bool { return a.session != nil && a.st.Router.Up })
	for _, name := range rooms {
		a.open(name)
		until("in #"+name, func() bool { return a.st.Room(name).Joined && !a.st.Room(name).Joining })
	}
	return a, until
}

// told reports whether some line of a room that only its reader sees has text.
func (a *app) told(room, text string) bool {
	for _, l := range a.st.Room(room).Lines {
		if l.Seq == 0 && strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

// TestCommandsActOnTheRoomTheyName, else on the open one.
func TestCommandsActOnTheRoomTheyName(t *testing.T) {
	a, until := inRooms(t, serve(t, "go", "tea"), "go", "tea")
	a.typed("/where #go\n")
	until("told where #go is", func() bool { return a.told("tea", "#go is served by ") })
	a.typed("/where\n")
	until("told where #tea is", func() bool { return a.told("tea", "#tea is served by ") })
	a.typed("/names go\n/names\n")
	if !a.told("tea", "1 in #go: ada") || !a.told("tea", "1 here: ada") {
		t.Errorf("names: %+v", a.st.Current().Lines)
	}
	for _, line := range []string{"/part nowhere\n", "/names #nowhere\n"} {
		a.typed(line)
		until(line, func() bool { return a.st.Notice == "you are not in #nowhere" })
		a.edit(state.Input.KillLeft)
	}
	a.typed("/part #go\n")
	until("#go is left", func() bool { return a.st.Room("go").Place == 0 })
	if a.st.Active != "tea" || !a.st.Room("tea").Joined {
		t.Errorf("then in #%s, #tea joined: %v", a.st.Active, a.st.Room("tea").Joined)
	}
}

// TestCommandsWithoutAServer say so at once: nothing of them is carried out
// behind one's back when there is one again.
func TestCommandsWithoutAServer(t *testing.T) {
	f := serve(t, "go")
	a, until := inRooms(t, f, "go")
	f.kill()
	until("the servers are missed", func() bool {
		return !a.st.Router.Up && a.st.Current().Link.State == client.LinkReconnecting
	})
	a.st = a.st.Apply(said("go", "bob", "far ahead", 50))
	for _, c := range []struct{ line, notice string }{
		{"/create tea", "/create needs a connection, and there is none now"},
		{"/where", "/where needs a connection, and there is none now"},
		{"/where tea", "/where needs a connection, and there is none now"},
		{"/goto 2026-11-20", "there is no connection to load it by"},
		{"/goto 7", "there is no connection to load it by"},
		{"/list g", "there is no connection: these are the rooms known here"}, // that it shows
	} {
		a.edit(func(in state.Input) state.Input { return in.Set(c.line) })
		a.typed("\n")
		stays := c.line != "/list g"
		if got := a.st.Current().Draft.String(); a.st.Notice != c.notice || stays != (got == c.line) {
			t.Errorf("%s: the notice is %q, the line %q", c.line, a.st.Notice, got)
		}
		a.st.Overlay = state.OverlayNone
	}
	a.edit(func(in state.Input) state.Input { return in.Set("") })
	a.typed("/whoami\n/names\n")
	if !a.told("go", "in 1 room; no router answers") || !a.told("go", "1 here when the connection was lost: ada") {
		t.Errorf("%+v", a.st.Current().Lines)
	}
}

// TestCommandsKeepThePlace that was scrolled to, unless they answer at the end; and
// what cannot be carried out stays in the line.
func TestCommandsKeepThePlace(t *testing.T) {
	for _, c := range []struct{ line, stays, notice string }{
		{"/copy", "", "1 copied, if the terminal allows it"},
		{"/copy x", "/copy x", "/copy takes how many messages"},
		{"/msg", "/msg", "/msg #ROOM TEXT; there are no private messages"},
		{"/msg #tea a long text", "/msg #tea a long text", "you are not in #tea: /join it first"},
		{"/notify xx", "/notify xx", "/notify all, mentions or none"},
		{"/names tea", "/names tea", "you are not in #tea"},
		{"/goto tomorrow", "/goto tomorrow", "/goto takes a message's number or a day as 2026-11-24"},
		{"/join Bad Room", "/join Bad Room", "a room name has 1 to 64 of a-z, 0-9 and '-'"},
		{"/search nobody said it", "", `nothing in #go has "nobody said it"`},
		{"/discard", "", "no message has failed here"},
		{"/notify all", "", "#go: notifications of all"},
	} {
		a, s := showing(t, 80, 24, room(1, 60))
		defer s.Fini()
		a.draw()
		press(a, tcell.KeyPgUp)
		press(a, tcell.KeyPgUp)
		at := a.st.Current().Scroll
		a.edit(func(in state.Input) state.Input { return in.Set(c.line) })
		a.typed("\n")
		if r := a.st.Current(); r.Scroll != at || a.st.Notice != c.notice || r.Draft.String() != c.stays {
			t.Errorf("%s: scrolled from %d to %d, the notice is %q, the line %q", c.line, at, r.Scroll, a.st.Notice, r.Draft.String())
		}
	}
	for _, line := range []string{"/whoami", "/names", "/topic", "hello"} {
		a, s := showing(t, 80, 24, room(1, 60))
		defer s.Fini()
		a.draw()
		press(a, tcell.KeyPgUp)
		a.edit(func(in state.Input) state.Input { return in.Set(line) })
		a.typed("\n")
		if r := a.st.Current(); !r.AtEnd() || r.Draft.String() != "" {
			t.Errorf("%s: at the end %v, the line is %q", line, r.AtEnd(), r.Draft.String())
		}
	}
}

// TestCopyTakesWhatIsShown, where one has scrolled up.
func TestCopyTakesWhatIsShown(t *testing.T) {
	a, s := showing(t, 80, 24, room(1, 60))
	defer s.Fini()
	a.draw()
	a.goTo("20")
	a.draw()
	lowest := a.st.Current().Lines[len(a.st.Current().Lines)-1-a.st.Current().Scroll].Text
	a.typed("/copy\n")
	if got := string(s.GetClipboardData()); got != lowest || lowest == "message 60" {
		t.Errorf("copied %q, want %q", got, lowest)
	}
}

// TestQuestionsEnd: who asks waits for no answer that does not come.
func TestQuestionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := showing(t, 80, 24, chat())
		defer s.Fini()
		a.ctx, a.results = t.Context(), make(chan func(), 1)
		began := time.Now()
		a.ask(func(ctx context.Context) func() {
			<-ctx.Done()
			return func() { a.sayWhy(fmt.Errorf("ask the owner: %w", ctx.Err())) }
		})
		(<-a.results)()
		if took := time.Since(began); a.st.Notice != "no answer from the cluster" || took > 6*time.Second {
			t.Errorf("after %s: %q", took, a.st.Notice)
		}
	})
}

// TestAnAnswerMovesNobodyAway who has typed or moved since he asked.
func TestAnAnswerMovesNobodyAway(t *testing.T) {
	a, until := inRooms(t, serve(t, "go"), "go")
	a.typed("/create tea\n")
	until("#tea is open", func() bool { return a.st.Active == "tea" })
	a.typed("/create milk\nso")
	until("#milk is there", func() bool { return a.st.Notice == "there is #milk now; /join milk opens it" })
	if r := a.st.Current(); r.Name != "tea" || r.Draft.String() != "so" {
		t.Errorf("in #%s, with %q", r.Name, r.Draft.String())
	}
	a.st = a.st.Apply(said("tea", "bob", "far ahead", 50))
	a.edit(func(in state.Input) state.Input { return in.Set("/goto 7") })
	a.typed("\nwell")
	until("it is loaded", func() bool { return a.st.Notice == "#tea: /goto 7 shows it now" })
	if r := a.st.Current(); !r.AtEnd() || r.Draft.String() != "well" {
		t.Errorf("scrolled to %d, with %q", r.Scroll, r.Draft.String())
	}
}

// TestListShowsTheRooms of a prefix, those known here first.
func TestListShowsTheRooms(t *testing.T) {
	f := serve(t, "tea")
	a, until := inRooms(t, f, "tea")
	f.mu.Lock()
	f.rooms = append(f.rooms, "go", "go-nuts")
	f.mu.Unlock()
	a.typed("/list go\n")
	until("both are there", func() bool { return len(a.st.Choices()) == 2 })
	if c := a.st.Choices(); a.st.Overlay != state.OverlayPalette || c[0].Name != "#go" || c[1].Name != "#go-nuts" || a.st.Notice != "" {
		t.Errorf("overlay %d, %+v, %q", a.st.Overlay, c, a.st.Notice)
	}
}

// TestARoomThatWasLeftStaysLeft: what is written in it goes nowhere, and stays,
// until one joins it again.
func TestARoomThatWasLeftStaysLeft(t *testing.T) {
	f := serve(t, "books", "tea")
	a, until := inRooms(t, f, "books")
	a.typed("/part\n")
	until("it is left", func() bool {
		return a.told("books", "you have left #books; /join books opens it again, Alt-K finds others")
	})
	a.st = a.st.Queue("books", "1", "unlucky", false).FailUnposted("books", "refused")
	for _, c := range []struct{ line, notice string }{
		{"hello", "you have left #books: /join books first"},
		{"/topic Prose", "you have left #books: /join books first"},
		{"/retry", "you have left #books: /join books first"},
		{"/msg books hi", "you are not in #books: /join it first"},
		{"/part", "you are not in #books"},
	} {
		a.edit(func(in state.Input) state.Input { return in.Set(c.line) })
		a.typed("\n")
		until(c.line, func() bool { return a.st.Notice == c.notice })
		if got := a.st.Current().Draft.String(); (c.line == "hello" || c.line == "/topic Prose") && got != c.line {
			t.Errorf("of %q the line has %q", c.line, got)
		}
	}
	a.input(tcell.NewEventKey(tcell.KeyCtrlN, 0, tcell.ModCtrl))
	a.input(tcell.NewEventKey(tcell.KeyRune, '1', tcell.ModAlt))
	if r := a.st.Current(); r.Joining || r.Joined || r.Name != "books" || len(r.Waiting) != 1 {
		t.Errorf("then: %+v", r)
	}
	a.edit(func(in state.Input) state.Input { return in.Set("/join books") })
	a.typed("\n")
	until("it is joined", func() bool { return a.st.Current().Joined })
	a.typed("/retry\n")
	until("it is said", func() bool { return len(a.st.Current().Waiting) == 0 })
}

// TestARoomThatWasLeftStaysLeftAtTheNextVisit, though it is the one that was open
// last; who asks for it by name is in it again.
func TestARoomThatWasLeftStaysLeftAtTheNextVisit(t *testing.T) {
	f := serve(t, "books", "tea")
	a, until := inRooms(t, f, "books")
	a.typed("/part\n")
	until("it is left", func() bool { return a.st.Room("books").Parted })
	saved := a.st.Save()
	for _, ask := range []string{"", "books"} {
		a, until := visiting(t, "tea", f.addr())
		a.opts.Room, a.st.Rooms, a.st.Active = ask, nil, saved.Active
		a.st = a.st.Restore(saved)
		a.openFirst()
		a.login(f.addr(), "ada", true)
		until("the rooms are listed", func() bool { return a.st.Room("tea") != nil })
		if ask != "" {
			until("it is joined", func() bool { return a.st.Current().Joined })
			continue
		}
		if r := a.st.Current(); r.Name != "books" || r.Joining || r.Joined || !a.told("books", "you have left #books; /join books opens it again, Alt-K finds others") {
			t.Errorf("the next visit: %+v", r)
		}
	}
}

// TestARoomGivenUpBeforeItWasJoined is left too.
func TestARoomGivenUpBeforeItWasJoined(t *testing.T) {
	a, s := showing(t, 80, 24, chat().Open("milk").Take("milk"))
	defer s.Fini()
	a.refusedRoom("milk", client.ErrLeft)
	if r := a.st.Room("milk"); r.Place != 0 || a.st.Active != "general" || a.st.Notice != "you have left #milk" {
		t.Errorf("in #%s, with %q; %+v", a.st.Active, a.st.Notice, r)
	}
}

// TestARoomThatTheStoreLost is not one that was left by a wish: it is said why one is
// out of it, and what waited is kept as failed.
func TestARoomThatTheStoreLost(t *testing.T) {
	a, s := showing(t, 80, 24, chat().Open("milk").Take("milk").Queue("milk", "1", "hi", false))
	defer s.Fini()
	a.apply(client.Left{Room: "milk", Err: &client.RefusedError{Code: comms.CodeNotAllowed, Message: "it is shut"}})
	r := a.st.Room("milk")
	if r.Joined || r.Parted || r.Place != 0 || a.st.Notice != "#milk: it is shut" || r.Waiting[0].Reason != "it is shut" {
		t.Errorf("shut: %q, %+v", a.st.Notice, r)
	}
	a.apply(client.Left{Room: "go", Err: &client.RefusedError{Code: comms.CodeNoRoom, Message: "there is no room go"}})
	if a.st.Room("go") != nil || a.st.Notice != "there is no room #go; /create go makes it" {
		t.Errorf("lost: %q", a.st.Notice)
	}
}

// TestARoomThatCannotBeMadeStaysInTheLine, to be named or described anew.
func TestARoomThatCannotBeMadeStaysInTheLine(t *testing.T) {
	f := serve(t, "go")
	a, _ := inRooms(t, f, "go")
	for line, notice := range map[string]string{
		"/create Foo all about it":                     `"Foo" is no room name; use 1 to 64 of a-z, 0-9 and '-'`,
		"/create foo " + strings.Repeat("about ", 400): comms.CheckDescription(strings.TrimSpace(strings.Repeat("about ", 400))).Error(),
	} {
		a.edit(func(in state.Input) state.Input { return in.Set(line) })
		a.typed("\n")
		if got := a.st.Current().Draft.String(); got != line || a.st.Notice != notice {
			t.Errorf("the line is %q, the notice %q", got, a.st.Notice)
		}
	}
}

// TestARefusedRoomIsNotBeingConnectedTo, though its shard was away when it was asked
// for first.
func TestARefusedRoomIsNotBeingConnectedTo(t *testing.T) {
	for _, code := range []string{comms.CodeNotAllowed, comms.CodeNoRoom, comms.CodeExpired} {
		a, s := showing(t, 80, 24, chat().Open("milk").Join("milk").Edit(func(in state.Input) state.Input { return in.Set("kept") }))
		defer s.Fini()
		ctx, cancel := context.WithCancel(t.Context())
		a.ctx = ctx
		defer a.effects.Wait()
		defer cancel()
		a.apply(client.RoomLink{Room: "milk", State: client.LinkReconnecting})
		a.st.Now = a.st.Now.Add(3 * time.Second)
		status := func() string { return a.st.Status(a.st.Current(), 80, false) }
		if a.st.Active != "milk" || !strings.Contains(status(), "connecting (3 s)") {
			t.Fatalf("before, in #%s: %q", a.st.Active, status())
		}
		a.refusedRoom("milk", &client.RefusedError{Code: code, Message: "no"})
		if a.st.Active != "milk" || strings.Contains(status(), "connecting") {
			t.Errorf("%s: in #%s: %q", code, a.st.Active, status())
		}
	}
}

// TestJoinRightBehindPart stays in the room, with what is said next, though its shard
// has yet to agree to the leave.
func TestJoinRightBehindPart(t *testing.T) {
	f := serve(t, "go", "tea")
	a, until := visiting(t, "tea", f.addr())
	a.login(f.addr(), "ada", true)
	a.open("go")
	until("in both", func() bool { return a.st.Room("go").Joined && a.st.Room("tea").Joined })
	a.typed("/part\nnot in it\n")
	if r := a.st.Current(); r.Draft.String() != "not in it" || a.st.Notice != "you have left #go: /join go first" {
		t.Errorf("the line is %q, the notice %q", r.Draft.String(), a.st.Notice)
	}
	a.edit(func(in state.Input) state.Input { return in.Set("") })
	a.typed("/join go\nhello\n")
	until("hello is said", func() bool { return slices.Equal(f.texts(), []string{"hello"}) && len(a.st.Room("go").Waiting) == 0 })
	if r := a.st.Current(); r.Name != "go" || !r.Joined || r.Joining || r.Parted || r.Place == 0 {
		t.Errorf("in #%s: %+v", r.Name, r)
	}
}

// TestLeavingTwoRooms leads to neither of them, in whichever order their shards agree.
func TestLeavingTwoRooms(t *testing.T) {
	f := serve(t, "go", "tea")
	a, until := visiting(t, "tea", f.addr())
	a.login(f.addr(), "ada", true)
	a.open("go")
	until("in both", func() bool { return a.st.Room("go").Joined && a.st.Room("tea").Joined })
	a.typed("/part\n/part tea\n")
	until("out of both", func() bool { return !a.st.Room("go").Joined && !a.st.Room("tea").Joined })
	if goRoom, tea := a.st.Room("go"), a.st.Room("tea"); goRoom.Joining || tea.Joining || !goRoom.Parted || !tea.Parted {
		t.Errorf("%+v\n%+v", goRoom, tea)
	}
}

// TestRetryOfWhatMayBeStored repeats it as the message that it is, in its order, by
// the next visit too: as a new one it might be said twice.
func TestRetryOfWhatMayBeStored(t *testing.T) {
	f := serve(t, "go")
	a, until := inRooms(t, f, "go")
	for id, code := range map[string]string{"lost.1": comms.CodeUnknownFate, "not.2": comms.CodeNotJoined} {
		a.st = a.st.Queue("go", id, "hello", false)
		a.apply(client.SendFailed{Room: "go", ID: id, Err: &client.RefusedError{Code: code, Message: "the room was left"}})
	}
	saved := a.st.Save()
	a.st = a.st.Update("go", func(r *state.Room) { r.Waiting = nil }).Restore(saved)
	a.typed("/retry\n")
	until("both are said", func() bool { return len(f.texts()) == 2 && len(a.st.Current().Waiting) == 0 })
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.said {
		if m.Again != (m.ID == "lost.1") || m.ID == "not.2" {
			t.Errorf("said: %+v", m)
		}
	}
	if f.said[0].ID != "lost.1" && f.said[1].ID != "lost.1" {
		t.Errorf("said anew: %+v", f.said)
	}
}
