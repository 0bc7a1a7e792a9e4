package tui

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// fakeServer is a router, and the one shard that it names.
type fakeServer struct {
	ln    net.Listener
	conns sync.WaitGroup
	kill  func() // ends it and its connections

	mu     sync.Mutex
	name   string            // of the cluster, as the welcome has it
	rooms  []string          // that there are
	heads  map[string]uint64 // of rooms
	listed []comms.Room      // what ListRooms is answered, too
	past   uint64            // records that History has of each room
	damage string            // that History is refused with, if any
	heard  []comms.SetTopic
	said   []comms.SendMessage
}

func serve(t *testing.T, rooms ...string) *fakeServer {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{ln: ln, rooms: rooms, heads: map[string]uint64{}}
	ctx, cancel := context.WithCancel(context.Background())
	f.conns.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conn := comms.NewServerConn(nc, time.Minute)
			stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // ends its reads
			f.conns.Go(func() {
				defer stop()
				defer conn.Close() //nolint:errcheck // it is over
				for {
					c, err := conn.ReadCommand()
					if err != nil {
						return
					}
					conn.WriteEvent(f.answer(c)...) //nolint:errcheck // the read tells its end
				}
			})
		}
	})
	f.kill = func() {
		ln.Close() //nolint:errcheck // it is over
		cancel()
		f.conns.Wait()
	}
	t.Cleanup(f.kill)
	return f
}

func (f *fakeServer) addr() string { return f.ln.Addr().String() }

func (f *fakeServer) answer(c comms.Command) []comms.Event {
	switch c := c.(type) {
	case comms.Hello:
		f.mu.Lock()
		defer f.mu.Unlock()
		return []comms.Event{comms.Welcome{Version: comms.Version, Session: "s", User: c.User, Name: "fake", Boot: "b", Ticket: "t", Cluster: f.name}}
	case comms.Locate:
		return []comms.Event{comms.Located{Room: c.Room, Shard: "fake", Addr: f.addr(), Epoch: 1}}
	case comms.ListRooms:
		f.mu.Lock()
		defer f.mu.Unlock()
		list := comms.RoomList{Tag: c.Tag, Rooms: slices.Clone(f.listed)}
		for _, name := range f.rooms {
			if strings.HasPrefix(name, c.Prefix) {
				list.Rooms = append(list.Rooms, comms.Room{Name: name})
			}
		}
		return []comms.Event{list}
	case comms.History:
		if f.damage != "" {
			return []comms.Event{comms.Error{Code: f.damage, Message: "it cannot be read", Room: c.Room, Tag: c.Tag}}
		}
		return []comms.Event{f.history(c)}
	case comms.SetTopic:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.heard = append(f.heard, c)
		if c.Topic == "refuse me once" && len(f.heard) == 1 {
			return []comms.Event{comms.Error{Code: comms.CodeTooLong, Message: "not this one", Room: c.Room, ID: c.ID}}
		}
		f.heads[c.Room]++
		return []comms.Event{comms.TopicChanged{Room: c.Room, Topic: c.Topic, ID: c.ID, User: "ada", Seq: f.heads[c.Room], Epoch: 1}}
	case comms.SendMessage:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.said = append(f.said, c)
		f.heads[c.Room]++
		return []comms.Event{comms.UserMessage{Room: c.Room, Content: c.Content, ID: c.ID, User: "ada", Seq: f.heads[c.Room], Epoch: 1}}
	case comms.LeaveRoom:
		return []comms.Event{comms.RoomLeft(c)}
	case comms.CreateRoom:
		f.mu.Lock()
		defer f.mu.Unlock()
		if slices.Contains(f.rooms, c.Room) {
			return []comms.Event{comms.Error{Code: comms.CodeRoomExists, Message: "there is one", Room: c.Room}}
		}
		f.rooms = append(f.rooms, c.Room)
		return []comms.Event{comms.RoomCreated{Room: c.Room, Description: c.Description, Epoch: 1}}
	case comms.JoinRoom:
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, name := range f.rooms {
			if name == c.Room {
				return []comms.Event{comms.UserJoinedRoom{Room: name, Users: []string{"ada"}, Count: 1, Epoch: 1}}
			}
		}
		return []comms.Event{comms.Error{Code: comms.CodeNoRoom, Message: "no such room", Room: c.Room}}
	}
	return nil
}

// history answers as the room log does: what stands before a sequence, or from one on.
func (f *fakeServer) history(c comms.History) comms.HistoryPage {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := comms.HistoryPage{Room: c.Room, Tag: c.Tag, Head: f.past}
	from, to := c.From, min(c.From+uint64(c.Limit)-1, f.past)
	if c.From == 0 {
		to = min(c.Before-1, f.past)
		from = to + 1 - min(to, uint64(c.Limit))
	}
	for seq := max(1, from); seq <= to; seq++ {
		p.Records = append(p.Records, said(c.Room, "bob", fmt.Sprintf("message %d", seq), seq).Record)
	}
	return p
}

// visiting is an app that was in a room before, and has no session yet. until
// does what its UI goroutine does until something holds.
func visiting(t *testing.T, room, routers string) (a *app, until func(what string, holds func() bool)) {
	t.Helper()
	ownHome(t)
	st := state.State{Page: state.PageChat, User: "ada", Now: noon}
	a, s := showing(t, 80, 24, st.Open(room).Take(room))
	ctx, cancel := context.WithCancel(context.Background())
	a.ctx, a.results, a.profileOf = ctx, make(chan func(), 16), "ada@"+routers
	t.Cleanup(func() {
		if err := a.close(cancel); err != nil {
			t.Error(err)
		}
		s.Fini()
	})
	return a, func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.After(10 * time.Second); !holds(); {
			select {
			case f := <-a.results:
				f()
			case e := <-a.events:
				a.apply(e)
			case <-deadline:
				t.Fatalf("%s: never; the notice is %q", what, a.st.Notice)
			}
		}
	}
}

// typed is what keys do; a line's end is Enter.
func (a *app) typed(text string) {
	for _, r := range text {
		if r == '\n' {
			a.input(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
		} else {
			a.input(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone))
		}
	}
}

// TestSilentRoutersAreNotTheOnlyOnesTried: the last of three answers, the others
// take connections, as the kernel does for a stopped process, and say nothing.
func TestSilentRoutersAreNotTheOnlyOnesTried(t *testing.T) {
	var routers []string
	for range 2 {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close() //nolint:errcheck // it is over
		routers = append(routers, silent.Addr().String())
	}
	routers = append(routers, serve(t, "go").addr())
	for name, forever := range map[string]bool{"behind the chat page": true, "from the connect page": false} {
		t.Run(name, func(t *testing.T) {
			a, until := visiting(t, "go", strings.Join(routers, ","))
			a.login(strings.Join(routers, ","), "ada", forever)
			until("in the room", func() bool { return a.st.Room("go").Joined })
		})
	}
}

// TestRoomThatIsNotThereIsAskedForOnce: a draft or a message keeps it open, with
// what was written, and a new attempt is the user's.
func TestRoomThatIsNotThereIsAskedForOnce(t *testing.T) {
	for name, c := range map[string]struct {
		keys   string
		failed int
	}{
		"with a message": {"hello\n", 1},
		"with a draft":   {"hello", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, "go")
			a, until := visiting(t, "go", f.addr())
			a.typed("/join tpyo\n" + c.keys)
			a.login(f.addr(), "ada", true)
			refused := func() bool { return strings.HasPrefix(a.st.Notice, "there is no room #tpyo") }
			until("refused", refused)
			r := a.st.Current()
			if r.Name != "tpyo" || r.Joining || len(r.Waiting) != c.failed || c.failed == 0 && r.Draft.String() != "hello" {
				t.Errorf("in #%s, joining %v, waiting %+v, draft %q", r.Name, r.Joining, r.Waiting, r.Draft.String())
			}
			a.st.Notice = ""
			if c.failed > 0 {
				a.command("tpyo", state.Parsed{Command: "retry"})
			} else {
				a.typed("\n")
			}
			until("refused again", refused)
			if r := a.st.Current(); r.Joining || len(r.Waiting) != 1 || r.Waiting[0].Mark != state.Failed || r.Waiting[0].Text != "hello" {
				t.Errorf("then: joining %v, waiting %+v", r.Joining, r.Waiting)
			}
		})
	}
}

// TestRoomWhoseShardHasAnotherTime keeps its place and what waits: nothing is
// wrong with it.
func TestRoomWhoseShardHasAnotherTime(t *testing.T) {
	a, s := showing(t, 80, 24, state.State{})
	defer s.Fini()
	ctx, cancel := context.WithCancel(t.Context())
	a.ctx = ctx
	defer a.effects.Wait()
	defer cancel()
	a.st = a.st.Open("go").Take("go").Queue("go", "1", "hello", false)
	a.refusedRoom("go", &client.RefusedError{Code: comms.CodeExpired, Message: "set both machines' clocks"})
	if r := a.st.Room("go"); r.Place == 0 || len(r.Unposted()) != 1 || a.st.Notice != "#go: set both machines' clocks" {
		t.Errorf("place %d, waiting %+v, notice %q", r.Place, r.Waiting, a.st.Notice)
	}
}

// TestTopicWaitsAsMessagesDo: what was written is seen until it is stored, also
// by the next visit.
func TestTopicWaitsAsMessagesDo(t *testing.T) {
	f := serve(t, "go")
	a, until := visiting(t, "go", f.addr())
	a.typed("hello\n/topic Tea at four\n")
	waiting := a.st.Current().Waiting
	if len(waiting) != 2 || !waiting[1].Topic || waiting[1].Text != "Tea at four" {
		t.Fatalf("waiting: %+v", waiting)
	}
	a.st.Now = noon.Add(time.Second)
	a.draw()
	if got := dump(a.screen.(tcell.SimulationScreen)); !strings.Contains(got, "ada sets the topic: Tea at four") || !strings.Contains(got, "2 waiting to be sent") {
		t.Errorf("nothing shows that it waits:\n%s", got)
	}
	saved := a.st.Save()
	a.st.Rooms = nil
	a.st = a.st.Restore(saved) // as the next visit does
	a.login(f.addr(), "ada", true)
	until("the topic is set", func() bool { return a.st.Current().Description == "Tea at four" })
	f.mu.Lock()
	defer f.mu.Unlock()
	if again := f.heard[0]; !again.Again || again.ID != waiting[1].ID {
		t.Errorf("heard %+v", again)
	}
}

// TestRefusedTopicIsShown, with why, and can be sent again.
func TestRefusedTopicIsShown(t *testing.T) {
	f := serve(t, "go")
	a, until := visiting(t, "go", f.addr())
	a.login(f.addr(), "ada", true)
	until("in the room", func() bool { return a.st.Current().Joined })
	a.typed("/topic refuse me once\n")
	until("refused", func() bool { w := a.st.Current().Waiting; return len(w) == 1 && w[0].Reason == "not this one" })
	a.typed("/retry\n")
	until("set", func() bool { r := a.st.Current(); return r.Description == "refuse me once" && len(r.Waiting) == 0 })
}

// TestCommandsThatNeedAConnectionStay in the line while there is none.
func TestCommandsThatNeedAConnectionStay(t *testing.T) {
	a, _ := visiting(t, "go", "nowhere:1")
	a.typed("/create tea all about it\n")
	if got := a.st.Current().Draft.String(); got != "/create tea all about it" || a.st.Notice != "/create needs a connection, and there is none now" {
		t.Errorf("the line is %q, the notice %q", got, a.st.Notice)
	}
}
