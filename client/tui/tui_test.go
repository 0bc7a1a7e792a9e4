package tui

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"pgregory.net/rapid"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

var update = flag.Bool("update", false, "write the golden screens anew")

var noon = time.Date(2026, 11, 23, 14, 2, 0, 0, time.Local)

func screen(t interface{ Fatal(...any) }, w, h int) tcell.SimulationScreen {
	s := tcell.NewSimulationScreen("UTF-8")
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	s.SetSize(w, h)
	return s
}

// dump is what a person sees.
func dump(s tcell.SimulationScreen) string {
	cells, w, h := s.GetContents()
	var b strings.Builder
	for y := range h {
		line := ""
		for x := 0; x < w; x++ {
			c := cells[y*w+x]
			if len(c.Runes) == 0 {
				continue
			}
			line += string(c.Runes)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func said(room, user, text string, seq uint64) client.Message {
	return client.Message{Room: room, Record: comms.Record{Kind: comms.KindMessage, Seq: seq, User: user, ID: fmt.Sprint(seq), Time: noon.Add(time.Duration(seq) * 20 * time.Second).UnixMilli(), Content: text}}
}

func chat() state.State {
	st := state.State{Page: state.PageChat, User: "ada", Since: noon.Add(-time.Minute), Now: noon.Add(5 * time.Minute), Router: client.RouterLink{Up: true}}
	st = st.WithRooms([]comms.Room{{Name: "general", Description: "Everything and nothing"}, {Name: "go", Description: "Gophers"}, {Name: "music"}})
	st = st.Open("general")
	st = st.Apply(client.Joined{Room: "general", Users: []string{"ada", "bob"}, Count: 2, Description: "Everything and nothing"})
	st = st.Apply(client.RoomLink{Room: "general", State: client.LinkUp, Shard: "s1"})
	say := func(room, user, text string, seq uint64, mine bool) {
		m := said(room, user, text, seq)
		m.Mine = mine
		st = st.Apply(m)
	}
	say("general", "bob", "has anyone tried the new table builder? it moves very few partitions when a shard joins, which is nearly the least there can be", 1, false)
	say("general", "bob", "日本語 and 👩‍👩‍👧 and e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", 2, false)
	say("general", "eve", "\x1b[2J\u202egnitset\u200b \u009b31m two\nlines", 3, false)
	st = st.Apply(client.Presence{Room: "general", Joined: []string{"mia"}, Count: 3})
	st = st.Posted("general", "4", "on it", false)
	say("general", "ada", "on it", 4, true)
	say("go", "bob", "@ada look", 1, false)
	st = st.Posted("general", "5", "restarting the seed now", false)
	return st
}

// showing is an app that draws st.
func showing(t interface{ Fatal(...any) }, w, h int, st state.State) (*app, tcell.SimulationScreen) {
	keys, err := bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := screen(t, w, h)
	return &app{screen: s, st: st, keys: keys, look: newTheme("auto", 16), filling: map[string]bool{}, cachedAt: map[string]cachedRoom{}, ids: comms.NewIDSource(), opts: Options{Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)}}, s
}

// states are the pictures whose screens are kept.
func states() map[string]state.State {
	reconnecting := chat().Apply(client.RoomLink{Room: "general", State: client.LinkReconnecting, Shard: "s2"})
	reconnecting.Now = reconnecting.Now.Add(3 * time.Second)
	failed := chat().Apply(client.SendFailed{Room: "general", ID: "5", Err: &client.RefusedError{Message: "too long"}})
	draft := chat().Update("general", func(r *state.Room) { r.Draft = r.Draft.Insert("and if it dies in betwe\na second line") })
	unread := chat().Open("go").Apply(said("general", "mia", "@ada look at s4, it took https://example.org/ring/with/a/rather/long/path/that/does/not/fit and `go`", 5)).Apply(said("general", "bob", "it *really* did", 6))
	marker := unread.Open("general")
	hole := chat().Apply(said("general", "eve", "far ahead", 60))
	quiet := unread.Update("general", func(r *state.Room) { r.Level = state.NotifyNone })
	scrolled := chat()
	for seq := uint64(5); seq < 60; seq++ {
		scrolled = scrolled.Apply(said("general", "bob", fmt.Sprintf("step %d is done", seq), seq))
	}
	scrolled = scrolled.Update("general", func(r *state.Room) { r.Scroll = 2 })
	palette := unread
	palette.Overlay, palette.Palette.Query = state.OverlayPalette, state.NewInput("mu")
	help := chat()
	help.Overlay = state.OverlayHelp
	preview := chat()
	preview.Overlay, preview.Paste = state.OverlayPreview, strings.Repeat("a line of code\n", 29)+"the last"
	bare := chat()
	bare.Overlay = state.OverlayBare
	notice := chat()
	notice.Notice = "#general is served by s2 at 127.0.0.1:4000, epoch 7"
	search := chat()
	search.Search = "joins"
	names := chat().Tell("general", "3 here: ada bob mia")
	longNotice := chat()
	longNotice.Notice = "/home/ada/.config/positivity-exchange/client.toml, line 3: there is no setting \"colour\"; px client --print-config shows all"
	offline := chat()
	offline.Offline, offline.Now = "no server at localhost:8080", offline.Now.Add(time.Second)
	limit := chat().Update("general", func(r *state.Room) { r.Draft = state.NewInput(strings.Repeat("many words ", 1450)) })
	empty := chat().Apply(client.Joined{Room: "music", Users: []string{"ada"}, Count: 1}).Open("music")
	manyRooms := chat()
	for i := range 80 {
		manyRooms = manyRooms.Apply(client.Joined{Room: fmt.Sprintf("room-%02d-with-a-long-name", i), Users: []string{"ada"}, Count: 1})
	}
	manyRooms = manyRooms.Open("room-70-with-a-long-name")
	var crowd []string
	for i := range 120 {
		crowd = append(crowd, fmt.Sprintf("user-%03d-with-a-long-name", i))
	}
	people := chat().Apply(client.People{Room: "general", Users: crowd, Count: 120})
	format := chat().Apply(said("general", "mia", "*bold* and `code` and 2*3*4, see https://example.org/a?b=c.\n```\nfunc main() {\n\tprintln(1)\n}\n```\nשלום and مرحبا stay readable", 5))
	format = format.Apply(said("general", "a-name-that-is-longer-than-its-pl", "/me waves", 6))
	jump := chat().WithHistory("general", comms.HistoryPage{Head: 50_000, Records: []comms.Record{said("general", "bob", "the newest", 50_000).Record}})
	year := chat().WithHistory("general", comms.HistoryPage{Head: 5, Records: []comms.Record{{Kind: comms.KindMessage, Seq: 5, User: "bob", Time: noon.AddDate(-1, 0, 0).UnixMilli(), Content: "last year"}}})
	rooms, nothing := unread, unread
	rooms.Overlay = state.OverlayPalette
	nothing.Overlay, nothing.Palette.Query = state.OverlayPalette, state.NewInput("zzz")
	joining := chat().Open("music").Update("music", func(r *state.Room) { r.Joining = true })
	folded := chat().Apply(client.Presence{Room: "general", Joined: []string{"a", "b", "c", "d", "e"}, Left: []string{"bob"}, Count: 7})
	return map[string]state.State{
		"names": names, "long-notice": longNotice, "offline": offline, "limit": limit, "empty": empty, "many-rooms": manyRooms, "people": people,
		"format": format, "jump": jump, "year": year, "palette-rooms": rooms, "palette-nothing": nothing, "joining": joining, "folded": folded,
		"busy": {Connect: state.Connect{Router: state.NewInput("localhost:8080"), Name: state.NewInput("ada"), Busy: true}},
		"chat": chat(), "reconnecting": reconnecting, "failed": failed, "cut": chat().Apply(client.Cut{Room: "general", At: 2}), "draft": draft,
		"unread": unread, "marker": marker, "hole": hole, "muted": quiet, "scrolled": scrolled, "palette": palette, "help": help, "preview": preview,
		"bare": bare, "notice": notice, "search": search, "no-router": chat().Apply(client.RouterLink{Up: false, Addr: "localhost:8080"}),
		"connect": {Connect: state.Connect{Router: state.NewInput("localhost:8080"), Name: state.NewInput("ada"), Error: "could not reach localhost:8080: connection refused"}},
		"first":   {Connect: state.Connect{Router: state.NewInput("localhost:8080"), Field: 1}},
	}
}

func TestGoldenScreens(t *testing.T) {
	for name, st := range states() {
		for _, size := range [][2]int{{200, 50}, {80, 24}, {40, 10}} {
			file := fmt.Sprintf("testdata/%s-%dx%d.txt", name, size[0], size[1])
			t.Run(file, func(t *testing.T) {
				a, s := showing(t, size[0], size[1], st)
				defer s.Fini()
				a.draw()
				got := dump(s)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// TestNothingCrashesInTinyWindows draws every state at every small size.
func TestNothingCrashesInTinyWindows(t *testing.T) {
	for _, st := range states() {
		a, s := showing(t, 1, 1, st)
		for w := 1; w < 24; w++ {
			for h := 1; h < 12; h++ {
				s.SetSize(w, h)
				a.draw()
			}
		}
		s.Fini()
	}
}

func TestCleanLeavesNothingThatMovesATerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range Clean(rapid.String().Draw(t, "text")) {
			if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Fatalf("U+%04X is left", r)
			}
		}
	})
}

// TestAnyStateDraws lets any sequence of events, keys, pastes and sizes happen.
func TestAnyStateDraws(t *testing.T) {
	var everyKey []*tcell.EventKey
	for key := range specialKeys {
		for _, mod := range []tcell.ModMask{tcell.ModNone, tcell.ModAlt, tcell.ModCtrl} {
			everyKey = append(everyKey, tcell.NewEventKey(key, 0, mod))
		}
	}
	for key := tcell.KeyCtrlA; key <= tcell.KeyCtrlZ; key++ {
		everyKey = append(everyKey, tcell.NewEventKey(key, 0, tcell.ModCtrl))
	}
	for _, r := range "abcdefghijklmnopqrstuvwxyz0123456789/?#@:>_ " {
		everyKey = append(everyKey, tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone), tcell.NewEventKey(tcell.KeyRune, r, tcell.ModAlt))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, s := showing(t, rapid.IntRange(1, 130).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height"), chat())
		defer s.Fini()
		ctx, cancel := context.WithCancel(context.Background())
		a.ctx, a.results = ctx, make(chan func(), 16)
		defer a.effects.Wait()
		defer cancel()
		room := rapid.SampledFrom([]string{"general", "go", "music", "new"})
		name := rapid.SampledFrom([]string{"ada", "bob", "mia", "a-name-that-is-longer-than-its-pl"})
		var seq uint64 = 10
		t.Repeat(map[string]func(*rapid.T){
			"message": func(t *rapid.T) {
				seq += rapid.Uint64Range(0, 3).Draw(t, "step")
				a.apply(client.Message{Room: room.Draw(t, "room"), Record: comms.Record{Kind: rapid.SampledFrom([]string{comms.KindMessage, comms.KindTopic, "other"}).Draw(t, "kind"), Seq: seq, User: name.Draw(t, "user"), Content: rapid.String().Draw(t, "text")}})
			},
			"presence": func(t *rapid.T) {
				a.apply(client.Presence{Room: room.Draw(t, "room"), Joined: []string{name.Draw(t, "joined")}, Left: []string{name.Draw(t, "left")}})
			},
			"joined": func(t *rapid.T) {
				a.st = a.st.Apply(client.Joined{Room: room.Draw(t, "room"), Head: comms.Position{Seq: seq}})
			},
			"cut":  func(t *rapid.T) { a.apply(client.Cut{Room: room.Draw(t, "room"), At: seq / 2}) },
			"left": func(t *rapid.T) { a.apply(client.Left{Room: room.Draw(t, "room")}) },
			"open": func(t *rapid.T) { a.st = a.st.Open(room.Draw(t, "room")) },
			"mouse": func(t *rapid.T) {
				button := rapid.SampledFrom([]tcell.ButtonMask{tcell.Button1, tcell.WheelUp, tcell.WheelDown}).Draw(t, "button")
				a.input(tcell.NewEventMouse(rapid.IntRange(0, 129).Draw(t, "x"), rapid.IntRange(0, 39).Draw(t, "y"), button, tcell.ModNone))
			},
			"focus": func(t *rapid.T) { a.input(tcell.NewEventFocus(rapid.Bool().Draw(t, "focused"))) },
			"resize": func(t *rapid.T) {
				s.SetSize(rapid.IntRange(1, 130).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height"))
			},
			"history": func(t *rapid.T) {
				from := rapid.Uint64Range(1, seq).Draw(t, "from")
				p := comms.HistoryPage{Head: seq}
				for i := range rapid.Uint64Range(0, 9).Draw(t, "n") {
					p.Records = append(p.Records, comms.Record{Kind: comms.KindMessage, Seq: from + i, User: name.Draw(t, "user"), Content: "old"})
				}
				a.st = a.st.WithHistory(room.Draw(t, "room"), p)
			},
			"type": func(t *rapid.T) {
				for _, r := range rapid.StringN(0, 12, -1).Draw(t, "text") {
					a.input(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone))
				}
			},
			"paste": func(t *rapid.T) {
				a.input(tcell.NewEventPaste(true))
				for _, r := range rapid.String().Draw(t, "text") {
					a.input(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone))
				}
				a.input(tcell.NewEventPaste(false))
			},
			"key": func(t *rapid.T) {
				e := rapid.SampledFrom(everyKey).Draw(t, "key")
				if keyName(e) == "Alt-E" {
					return // would start an editor
				}
				a.input(e)
				a.quit = false
			},
			"": func(t *rapid.T) {
				a.draw()
				a.st.Save()
				for _, r := range a.st.Rooms {
					for i := 1; i < len(r.Lines); i++ {
						if r.Lines[i-1].Place() > r.Lines[i].Place() {
							t.Fatalf("#%s: line %d stands behind %d", r.Name, r.Lines[i].Place(), r.Lines[i-1].Place())
						}
					}
				}
			},
		})
	})
}

// TestWhatIsTypedIsSeen: the character before the cursor is the one typed last,
// however low the window and long the message.
func TestWhatIsTypedIsSeen(t *testing.T) {
	for h := 3; h <= 12; h++ {
		a, s := showing(t, 40, h, chat())
		defer s.Fini()
		for i := range 300 {
			typed := 'a' + rune(i%26)
			a.input(tcell.NewEventKey(tcell.KeyRune, typed, tcell.ModNone))
			a.draw()
			s.Show()
			cells, w, _ := s.GetContents()
			x, y, visible := s.GetCursor()
			if at := y*w + x - 1; !visible || x < 1 || len(cells[at].Runes) == 0 || cells[at].Runes[0] != typed {
				t.Fatalf("height %d, after %d: %c does not stand before the cursor at %d, %d:\n%s", h, i, typed, x, y, dump(s))
			}
		}
	}
}
