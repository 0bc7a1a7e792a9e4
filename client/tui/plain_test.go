package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// session is ada's with the server, for a moment.
func (f *fakeServer) session(t *testing.T) (context.Context, *client.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	s, err := client.Connect(ctx, client.Options{Routers: []string{f.addr()}, User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
	return ctx, s
}

// TestRefusedJoinKeepsTheRoom: what is typed then goes where it went before, and
// is waited for, a topic too. A script's next lines go nowhere.
func TestRefusedJoinKeepsTheRoom(t *testing.T) {
	f := serve(t, "go", "tea")
	ctx, s := f.session(t)
	var out strings.Builder
	in := strings.NewReader("/join typo\nstill here\n/join tea\nand there\n/topic At four\n")
	if err := Plain(ctx, PlainOptions{Session: s, Room: "go", In: in, Out: &out}); err != nil {
		t.Errorf("ended with %v", err)
	}
	ctx, s = f.session(t)
	script := strings.NewReader("/join typo\nfor typo alone\n")
	if err := Plain(ctx, PlainOptions{Session: s, Room: "go", In: script, Out: &out, Script: true}); err == nil || !strings.Contains(err.Error(), "#typo: no such room: nothing from there on was sent") {
		t.Errorf("a script ended with %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.said) != 2 || f.said[0].Room != "go" || f.said[1].Room != "tea" || len(f.heard) != 1 || f.heard[0].Room != "tea" {
		t.Errorf("said %+v, topics %+v", f.said, f.heard)
	}
	if want := "* #typo: no such room; you are still in #go\n"; !strings.Contains(out.String(), want) {
		t.Errorf("got\n%swant %s", out.String(), want)
	}
}

// TestPlainCommandsActOnTheRoomTheyName, else on the one that was opened last.
func TestPlainCommandsActOnTheRoomTheyName(t *testing.T) {
	f := serve(t, "go", "tea")
	ctx, s := f.session(t)
	var out strings.Builder
	in := strings.NewReader("/join tea\n/where #go\n/names go\n/names nowhere\n/part nowhere\n/part #go\n/where\n")
	if err := Plain(ctx, PlainOptions{Session: s, Room: "go", In: in, Out: &out}); err != nil {
		t.Errorf("ended with %v", err)
	}
	for _, want := range []string{"* #go is served by fake", "* 1 in #go: ada\n", "* you are not in #nowhere\n* you are not in #nowhere\n", "* you have left #go; what you write goes to #tea\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if err := s.Leave(ctx, "tea"); err != nil {
		t.Errorf("#tea was left: %v", err)
	}
}

// TestPlainTellsByItsEndWhatWasNotSent, whichever way it ends, and /create opens
// the room that it makes, as the help says.
func TestPlainTellsByItsEndWhatWasNotSent(t *testing.T) {
	for in, c := range map[string]struct {
		err  error
		want string
	}{
		"/fly\nhello\n":                    {nil, "* there is no command /fly; /help lists them, // sends a slash\n"},
		"/part\n/where go\nhello\n":        {ErrNotSent, "* line 3 of the input is not sent: not in the room"},
		"/part\n/where go\nhello\n/quit\n": {ErrNotSent, "* line 3 of the input is not sent: not in the room"},
		"hello\n/quit\n":                   {nil, "#go ada: hello\n"},
		"/create tea\nhello\n":             {nil, "#tea ada: hello\n"},
		"/create tea\n/quit\n":             {nil, "* you are in #tea, 1 here: "},
		"/create go\nhello\n":              {nil, "* there is one\n#go ada: hello\n"},
		"/part\n/create tea\n/names\n":     {nil, "* 1 here: ada"},
		"/part\n/join go\nhello\n":         {nil, "#go ada: hello\n"},
	} {
		t.Run(strings.ReplaceAll(strings.TrimSpace(in), "\n", ","), func(t *testing.T) {
			f := serve(t, "go")
			ctx, s := f.session(t)
			var out strings.Builder
			if err := Plain(ctx, PlainOptions{Session: s, Room: "go", In: strings.NewReader(in), Out: &out, Script: true}); !errors.Is(err, c.err) || !strings.Contains(out.String(), c.want) {
				t.Errorf("ended with %v, want %v; got\n%swant %s", err, c.err, out.String(), c.want)
			}
		})
	}
}

// TestPlainGoesOnInAnotherRoom once the open one was left, as the screen does. What
// a script says was meant for no other.
func TestPlainGoesOnInAnotherRoom(t *testing.T) {
	for script, want := range map[bool]string{
		false: "* you have left #tea; what you write goes to #go\n#go ada: hello\n",
		true:  "* line 3 of the input is not sent: not in the room",
	} {
		f := serve(t, "go", "tea")
		ctx, s := f.session(t)
		var out strings.Builder
		err := Plain(ctx, PlainOptions{Session: s, Room: "go", In: strings.NewReader("/join tea\n/part\nhello\n"), Out: &out, Script: script})
		if !strings.Contains(out.String(), want) || errors.Is(err, ErrNotSent) != script {
			t.Errorf("script %v: ended with %v, got\n%swant %s", script, err, out.String(), want)
		}
	}
}

// TestADayIsFoundOverASlowLine by many questions: each of them may take as long as
// an answer does.
func TestADayIsFoundOverASlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := within(t.Context(), func(ctx context.Context, q comms.History) (comms.HistoryPage, error) {
			select {
			case <-time.After(answerWithin / 2):
				return comms.HistoryPage{Records: []comms.Record{{Seq: q.From, Time: int64(q.From)}}}, nil
			case <-ctx.Done():
				return comms.HistoryPage{}, ctx.Err()
			}
		})
		if seq, err := firstOf(slow, "go", 700, 1000); err != nil || seq != 700 {
			t.Errorf("got %d, %v", seq, err)
		}
	})
}
