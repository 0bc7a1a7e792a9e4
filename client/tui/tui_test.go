package tui

import (
	"flag"
	"fmt"
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

func chat() state.State {
	st := state.State{Page: state.PageChat, User: "ada", Since: noon.Add(-time.Minute), Now: noon.Add(5 * time.Minute), Router: client.RouterLink{Up: true}}
	st = st.WithRooms([]comms.Room{{Name: "general", Description: "Everything and nothing"}, {Name: "go", Description: "Gophers"}, {Name: "music"}})
	st = st.Open("general")
	st = st.Apply(client.Joined{Room: "general", Users: []string{"ada", "bob"}, Count: 2, Description: "Everything and nothing"})
	st = st.Apply(client.RoomLink{Room: "general", State: client.LinkUp, Shard: "s1"})
	say := func(room, user, text string, seq uint64, mine bool) {
		st = st.Apply(client.Message{Room: room, Mine: mine, Record: comms.Record{Kind: comms.KindMessage, Seq: seq, User: user, ID: fmt.Sprint(seq), Time: noon.Add(time.Duration(seq) * 20 * time.Second).UnixMilli(), Content: text}})
	}
	say("general", "bob", "has anyone tried the new table builder? it moves very few partitions when a shard joins, which is nearly the least there can be", 1, false)
	say("general", "bob", "日本語 and 👩‍👩‍👧 and e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", 2, false)
	say("general", "eve", "\x1b[2J\u202egnitset\u200b \u009b31m two\nlines", 3, false)
	st = st.Apply(client.Presence{Room: "general", Joined: []string{"mia"}, Count: 3})
	st = st.Posted("general", "4", "on it")
	say("general", "ada", "on it", 4, true)
	say("go", "bob", "@ada look", 1, false)
	st = st.Posted("general", "5", "restarting the seed now")
	return st
}

func TestGoldenScreens(t *testing.T) {
	reconnecting := chat().Apply(client.RoomLink{Room: "general", State: client.LinkReconnecting})
	reconnecting.Now = reconnecting.Now.Add(3 * time.Second)
	failed := chat().Apply(client.SendFailed{Room: "general", ID: "5", Err: &client.Refused{Message: "too long"}})
	cut := chat().Apply(client.Cut{Room: "general", At: 2})
	draft := chat().Update("general", func(r *state.Room) { r.Draft = r.Draft.Insert("and if it dies in betwe") })
	connect := state.State{Connect: state.Connect{Router: "localhost:8080", Name: "ada", Error: "could not reach localhost:8080: connection refused"}}
	for name, st := range map[string]state.State{"chat": chat(), "reconnecting": reconnecting, "failed": failed, "cut": cut, "draft": draft, "connect": connect} {
		for _, size := range [][2]int{{200, 50}, {80, 24}, {40, 10}} {
			file := fmt.Sprintf("testdata/%s-%dx%d.txt", name, size[0], size[1])
			t.Run(file, func(t *testing.T) {
				s := screen(t, size[0], size[1])
				defer s.Fini()
				(&app{screen: s, st: st, opts: Options{}}).draw()
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

func TestCleanLeavesNothingThatMovesATerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range Clean(rapid.String().Draw(t, "text")) {
			if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Fatalf("U+%04X is left", r)
			}
		}
	})
}

// TestAnyStateDraws applies any sequence of events and keys, at any size.
func TestAnyStateDraws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := screen(t, rapid.IntRange(1, 130).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height"))
		defer s.Fini()
		a := &app{screen: s, st: chat(), opts: Options{}}
		room := rapid.SampledFrom([]string{"general", "go", "music", "new"})
		name := rapid.SampledFrom([]string{"ada", "bob", "mia", "a-name-that-is-longer-than-its-pl"})
		var seq uint64 = 10
		t.Repeat(map[string]func(*rapid.T){
			"message": func(t *rapid.T) {
				seq++
				a.st = a.st.Apply(client.Message{Room: room.Draw(t, "room"), Record: comms.Record{Kind: comms.KindMessage, Seq: seq, User: name.Draw(t, "user"), Content: rapid.String().Draw(t, "text")}})
			},
			"presence": func(t *rapid.T) {
				a.st = a.st.Apply(client.Presence{Room: room.Draw(t, "room"), Joined: []string{name.Draw(t, "joined")}, Left: []string{name.Draw(t, "left")}})
			},
			"cut":  func(t *rapid.T) { a.st = a.st.Apply(client.Cut{Room: room.Draw(t, "room"), At: seq / 2}) },
			"left": func(t *rapid.T) { a.st = a.st.Apply(client.Left{Room: room.Draw(t, "room")}) },
			"open": func(t *rapid.T) { a.st = a.st.Open(room.Draw(t, "room")) },
			"type": func(t *rapid.T) {
				text := rapid.String().Draw(t, "text")
				a.st = a.st.Update(a.st.Active, func(r *state.Room) { r.Draft = r.Draft.Insert(text) })
			},
			"key": func(t *rapid.T) {
				key := rapid.SampledFrom([]tcell.Key{tcell.KeyLeft, tcell.KeyRight, tcell.KeyHome, tcell.KeyEnd, tcell.KeyBackspace, tcell.KeyDelete, tcell.KeyCtrlU, tcell.KeyCtrlK, tcell.KeyCtrlW}).Draw(t, "key")
				a.st = a.st.Update(a.st.Active, func(r *state.Room) { r.Draft = edit(r.Draft, tcell.NewEventKey(key, 0, tcell.ModNone)) })
			},
			"": func(*rapid.T) { a.draw() },
		})
	})
}

func BenchmarkDraw(b *testing.B) {
	s := screen(b, 80, 24)
	defer s.Fini()
	a := &app{screen: s, st: chat(), opts: Options{}}
	for b.Loop() {
		a.draw()
	}
}
