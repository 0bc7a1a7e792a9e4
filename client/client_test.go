package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// connected starts a cluster and a session in a room of it.
func connected(t *testing.T, shards ...string) (*fakeCluster, *client.Session) {
	t.Helper()
	c := newCluster(shards...)
	t.Cleanup(c.close)
	s := login(t, "ada", c.router.addr())
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	next[client.Joined](t, s)
	return c, s
}

func login(t *testing.T, user string, routers ...string) *client.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := client.Connect(ctx, client.Options{Routers: routers, User: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
	return s
}

// post posts n messages and returns their ids.
func post(t *testing.T, s *client.Session, n int) (ids []string) {
	t.Helper()
	for i := range n {
		id, err := s.Post("go", fmt.Sprint("message ", i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// acknowledged reads until all ids are acknowledged, which must happen in
// order, each sequence once.
func acknowledged(t *testing.T, s *client.Session, from uint64, ids []string) {
	t.Helper()
	for i, id := range ids {
		m := next[client.Message](t, s)
		if m.Seq != from+uint64(i) || m.ID != id || !m.Mine {
			t.Fatalf("got %+v, want sequence %d of %s", m, from+uint64(i), id)
		}
	}
	if left := s.Unacknowledged(); len(left) != 0 {
		t.Errorf("not acknowledged: %v", left)
	}
}

func TestRoomMovesUnderAConversation(t *testing.T) {
	for name, move := range map[string]func(c *fakeCluster){
		"told":          func(c *fakeCluster) { c.move("go", "s2", true) },
		"by a redirect": func(c *fakeCluster) { c.move("go", "s2", false) },
		"connection lost": func(c *fakeCluster) {
			c.move("go", "s2", false)
			c.shards["s1"].reset()
		},
		"killed, the router knows": func(c *fakeCluster) {
			c.move("go", "s2", false)
			c.mu.Lock()
			c.guess = "s2"
			c.mu.Unlock()
			c.shards["s1"].kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := connected(t, "s1", "s2")
			acknowledged(t, s, 1, post(t, s, 5))
			move(c)
			acknowledged(t, s, 6, post(t, s, 40))
			joins := commands[comms.JoinRoom](c)
			last := joins[len(joins)-1]
			if last.After == nil || last.After.Seq < 5 || last.After.Epoch == 0 {
				t.Errorf("it joined again from %+v", last.After)
			}
		})
	}
}

func TestWhatOthersSaidMeanwhileArrivesOnce(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	acknowledged(t, s, 1, post(t, s, 1))
	c.mu.Lock()
	for seq := uint64(2); seq <= 10; seq++ {
		c.records["go"] = append(c.records["go"], comms.Record{Kind: comms.KindMessage, Seq: seq, Epoch: 1, User: "bob", ID: fmt.Sprint(seq), Content: "x"})
	}
	c.mu.Unlock()
	c.move("go", "s2", true)
	for want := uint64(2); want <= 10; want++ {
		if m := next[client.Message](t, s); m.Seq != want || m.Mine {
			t.Fatalf("got %+v, want %d", m, want)
		}
	}
	// What was there before comes again: it is not shown again.
	c.shards["s2"].tell(message("go", comms.Record{Seq: 4, Epoch: 1, User: "bob", ID: "4", Content: "x"}))
	acknowledged(t, s, 11, post(t, s, 1))
}

func TestHoleIsFilled(t *testing.T) {
	c, s := connected(t, "s1")
	acknowledged(t, s, 1, post(t, s, 1))
	c.mu.Lock()
	for seq := uint64(2); seq <= 5; seq++ {
		c.records["go"] = append(c.records["go"], comms.Record{Kind: comms.KindMessage, Seq: seq, Epoch: 1, User: "bob", ID: fmt.Sprint(seq), Content: "x"})
	}
	c.mu.Unlock()
	// The shard skips 2 to 4.
	c.shards["s1"].tell(message("go", comms.Record{Seq: 5, Epoch: 1, User: "bob", ID: "5", Content: "x"}))
	for want := uint64(2); want <= 5; want++ {
		if m := next[client.Message](t, s); m.Seq != want {
			t.Fatalf("got %d, want %d", m.Seq, want)
		}
	}
}

// TestRefusedMessageComesAgainFirst: a retryable refusal of one message must
// not let those behind it pass.
func TestRefusedMessageComesAgainFirst(t *testing.T) {
	c, s := connected(t, "s1")
	refusals := 0
	c.mu.Lock()
	refused := ""
	c.refuse = func(_ string, command comms.Command) comms.Event {
		m, ok := command.(comms.SendMessage)
		if !ok {
			return nil
		}
		if refusals == 0 || refused != "" && m.ID != refused {
			refusals++
			if refused == "" {
				refused = m.ID
			}
			return comms.Error{Code: comms.CodeStorage, Message: "full", Room: m.Room, ID: m.ID, Retry: 20}
		}
		refused = ""
		return nil
	}
	c.mu.Unlock()
	acknowledged(t, s, 1, post(t, s, 10))
	again := 0
	for _, m := range commands[comms.SendMessage](c) {
		if m.Again {
			again++
		}
	}
	if again == 0 {
		t.Error("nothing was marked as sent again")
	}
}

func TestFinalRefusalFailsOneMessage(t *testing.T) {
	c, s := connected(t, "s1")
	c.mu.Lock()
	c.refuse = func(_ string, command comms.Command) comms.Event {
		if m, ok := command.(comms.SendMessage); ok && m.Content == "message 1" {
			return comms.Error{Code: comms.CodeConflict, Message: "no", Room: m.Room, ID: m.ID}
		}
		return nil
	}
	c.mu.Unlock()
	ids := post(t, s, 3)
	for want := range 3 {
		switch e := nextOf(t, s).(type) {
		case client.SendFailed:
			var refused *client.Refused
			if e.ID != ids[1] || !errors.As(e.Err, &refused) || refused.Code != comms.CodeConflict {
				t.Errorf("failed: %+v", e)
			}
		case client.Message:
			if e.ID == ids[1] {
				t.Errorf("event %d acknowledges what was refused", want)
			}
		}
	}
}

// nextOf reads the next message or failure.
func nextOf(t *testing.T, s *client.Session) client.Event {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case e := <-s.Events():
			switch e.(type) {
			case client.Message, client.SendFailed:
				return e
			}
		case <-deadline:
			t.Fatal("nothing came")
		}
	}
}

// TestRedirectsInACircleEndAtTheRouter: two shards name each other; the client
// asks a router again and backs off.
func TestRedirectsInACircleEndAtTheRouter(t *testing.T) {
	c := newCluster("s1", "s2")
	t.Cleanup(c.close)
	s := login(t, "ada", c.router.addr())
	circle := 0
	c.mu.Lock()
	c.refuse = func(shard string, command comms.Command) comms.Event {
		join, ok := command.(comms.JoinRoom)
		if !ok || circle >= 10 {
			return nil
		}
		circle++
		other := map[string]string{"s1": "s2", "s2": "s1"}[shard]
		return comms.Redirect{Room: join.Room, Shard: other, Addr: c.shards[other].addr()}
	}
	c.mu.Unlock()
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	if n := len(commands[comms.Locate](c)); n < 3 {
		t.Errorf("the router was asked %d times through 10 redirects", n)
	}
}

// TestSentBackIntoABlackHole: the room's shard answers nobody any more. Who is
// to take the room over cannot know whether clients reach that shard, and sends
// them back to it; a client that has just fled from there need not wait long.
func TestSentBackIntoABlackHole(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	if _, err := s.Send(t.Context(), "go", "before"); err != nil {
		t.Fatal(err)
	}
	var back time.Time
	c.mu.Lock()
	c.silent, c.guess = "s1", "s2"
	c.refuse = func(shard string, command comms.Command) comms.Event {
		if join, ok := command.(comms.JoinRoom); ok && shard == "s2" && back.IsZero() {
			back = time.Now()
			c.owner["go"] = "s2" // s1 lets go of it meanwhile
			return comms.Redirect{Room: join.Room, Shard: "s1", Addr: c.shards["s1"].addr()}
		}
		return nil
	}
	c.mu.Unlock()
	if _, err := s.Send(t.Context(), "go", "after"); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	took := time.Since(back)
	c.mu.Unlock()
	t.Logf("it was stored %s after the client was sent back", took)
	if took > 2*time.Second {
		t.Error("it waited for a shard from which it had just fled")
	}
	// The room goes back there, and the old connection still hangs.
	c.mu.Lock()
	c.silent, c.guess = "", "s1"
	c.mu.Unlock()
	start := time.Now()
	c.move("go", "s1", true)
	if _, err := s.Send(t.Context(), "go", "back"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("the move back took %s: it waited for a connection that hangs", took)
	}
}

// TestSentBackToTheDead: a router says that the room's shard is gone, and who is
// to take the room over does not know so yet, and sends the client back.
func TestSentBackToTheDead(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	if _, err := s.Send(t.Context(), "go", "before"); err != nil {
		t.Fatal(err)
	}
	sent := false
	c.mu.Lock()
	c.silent, c.guess = "s1", "s2"
	c.refuse = func(shard string, command comms.Command) comms.Event {
		if join, ok := command.(comms.JoinRoom); ok && shard == "s2" && !sent {
			sent = true
			c.owner["go"] = "s2"
			return comms.Redirect{Room: join.Room, Shard: "s1", Addr: c.shards["s1"].addr()}
		}
		return nil
	}
	c.mu.Unlock()
	start := time.Now()
	c.router.tell(comms.RoomMoved{Rooms: []string{"go"}, Shard: "s2", Addr: c.shards["s2"].addr()})
	if _, err := s.Send(t.Context(), "go", "after"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("it was stored %s after the router's word", took)
	if took > 1500*time.Millisecond {
		t.Error("it waited for a shard of which a router said that it is gone")
	}
}

// TestSlowShardIsJoinedAfterAFlight: the shard from which a room fled is there
// again and keeps the room, but takes its time.
func TestSlowShardIsJoinedAfterAFlight(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	if _, err := s.Send(t.Context(), "go", "before"); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.silent, c.guess = "s1", "s2"
	c.refuse = func(shard string, command comms.Command) comms.Event {
		if _, join := command.(comms.JoinRoom); join && shard == "s2" && c.silent != "" {
			c.silent, c.lag = "", 600*time.Millisecond
		}
		return nil // the room is s1's: a redirect
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
	defer cancel()
	if _, err := s.Send(ctx, "go", "after"); err != nil {
		t.Fatalf("a shard whose answers take 600 ms is never joined: %v", err)
	}
}

// TestOlderWordIsNotFollowed: who quotes an older epoch than an owner named
// knows less than we do.
func TestOlderWordIsNotFollowed(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	c.move("go", "s2", true)
	acknowledged(t, s, 1, post(t, s, 1)) // at s2, whose epoch is 2
	stale := true
	c.mu.Lock()
	c.refuse = func(shard string, command comms.Command) comms.Event {
		if m, ok := command.(comms.SendMessage); ok && stale {
			stale = false
			return comms.Redirect{Room: m.Room, Shard: "s1", Addr: c.shards["s1"].addr(), Epoch: 1, ID: m.ID}
		}
		return nil
	}
	c.guess = "s2"
	before := len(c.heard)
	c.mu.Unlock()
	acknowledged(t, s, 2, post(t, s, 1))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.heard[before:] {
		if _, joins := h.command.(comms.JoinRoom); joins && h.server == "s1" {
			t.Error("it followed an older word to s1")
		}
	}
}

// TestRouterIsToldWhereARoomIs: after a redirect the router would watch another shard.
func TestRouterIsToldWhereARoomIs(t *testing.T) {
	c := newCluster("s1", "s2")
	t.Cleanup(c.close)
	c.set(func() { c.owner["go"] = "s2" }) // the router's guess is s1
	s := login(t, "ada", c.router.addr())
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	// It is told beside the conversation, not before it goes on.
	told := func(times int) (locates []comms.Locate) {
		for deadline := time.Now().Add(10 * time.Second); len(locates) < times && time.Now().Before(deadline); locates = commands[comms.Locate](c) {
			acknowledged(t, s, uint64(len(commands[comms.SendMessage](c))+1), post(t, s, 1))
		}
		return locates
	}
	locates := told(2)
	if last := locates[len(locates)-1]; len(locates) != 2 || last.At != c.shards["s2"].addr() {
		t.Errorf("asked %+v", locates)
	}
	c.router.reset()
	for !next[client.RouterLink](t, s).Up {
	}
	locates = told(3)
	if len(locates) < 3 || locates[2].At != c.shards["s2"].addr() {
		t.Errorf("after the router came back: %+v", locates)
	}
}

func TestHistoryCutIsTold(t *testing.T) {
	c, s := connected(t, "s1")
	acknowledged(t, s, 1, post(t, s, 3))
	c.shards["s1"].tell(comms.HistoryCut{Room: "go", At: 1})
	if cut := next[client.Cut](t, s); cut.Room != "go" || cut.At != 1 {
		t.Errorf("got %+v", cut)
	}
	c.shards["s1"].tell(message("go", comms.Record{Seq: 2, Epoch: 2, User: "bob", ID: "x", Content: "x"}))
	if m := next[client.Message](t, s); m.Seq != 2 || m.User != "bob" {
		t.Errorf("after the cut came %+v", m)
	}
}

// TestSecondCutIsTold: behind a cut, too, a room is joined again with an epoch.
// A position without one is refused if the store has lost it, and the room is gone.
func TestSecondCutIsTold(t *testing.T) {
	c, s := connected(t, "s1")
	acknowledged(t, s, 1, post(t, s, 3))
	c.mu.Lock()
	c.records["go"] = c.records["go"][:1]
	want := comms.Position{Seq: 1, Epoch: c.epoch}
	c.mu.Unlock()
	again := func() comms.Position {
		c.shards["s1"].reset()
		for next[client.RoomLink](t, s).State != client.LinkUp {
		}
		joins := commands[comms.JoinRoom](c)
		return *joins[len(joins)-1].After
	}
	again()
	c.shards["s1"].tell(comms.HistoryCut{Room: "go", At: 1})
	next[client.Cut](t, s)
	if got := again(); got != want {
		t.Errorf("joined again behind %+v, want %+v", got, want)
	}
}

// TestRouterThatStandsStillIsLeft: it takes connections, as the kernel does for
// a stopped process, or it has welcomed us, and answers nothing any more.
func TestRouterThatStandsStillIsLeft(t *testing.T) {
	for name, greeting := range map[string][]comms.Event{
		"before it said anything": nil,
		"after the welcome":       {comms.Welcome{Version: comms.Version, Name: "still", User: "ada", Ticket: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var still sync.WaitGroup
			defer still.Wait()
			defer ln.Close()
			still.Go(func() {
				for {
					nc, err := ln.Accept()
					if err != nil {
						return
					}
					conn := comms.NewServerConn(nc, time.Minute)
					still.Go(func() {
						defer conn.Close()
						conn.WriteEvent(greeting...) //nolint:errcheck // the test sees it
						for {
							if _, err := conn.ReadCommand(); err != nil {
								return
							}
						}
					})
				}
			})
			c := newCluster("s1")
			defer c.close()
			s := login(t, "ada", ln.Addr().String(), c.router.addr())
			defer s.Close() //nolint:errcheck // never fails
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := s.Join(ctx, "go", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNextRouterIsTaken(t *testing.T) {
	first, second := newCluster("s1"), newCluster("s1")
	t.Cleanup(first.close)
	t.Cleanup(second.close)
	s := login(t, "ada", first.router.addr(), second.router.addr())
	if link := next[client.RouterLink](t, s); !link.Up || link.Addr != first.router.addr() {
		t.Errorf("at first: %+v", link)
	}
	first.router.kill()
	if link := next[client.RouterLink](t, s); link.Up {
		t.Errorf("after the kill: %+v", link)
	}
	if link := next[client.RouterLink](t, s); !link.Up || link.Addr != second.router.addr() {
		t.Errorf("then: %+v", link)
	}
}

func TestConnectFailsClearly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := client.Connect(ctx, client.Options{Routers: []string{addr}}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := client.Connect(t.Context(), client.Options{}); err == nil {
		t.Error("no router was taken for one")
	}
	var refused *client.Refused
	if _, err := client.Connect(t.Context(), client.Options{Routers: []string{addr}, User: "A B"}); !errors.As(err, &refused) || refused.Code != comms.CodeBadUser {
		t.Errorf("a bad name: %v", err)
	}
	c := newCluster("s1")
	defer c.close()
	c.set(func() {
		c.refuse = func(string, comms.Command) comms.Event {
			return comms.Error{Code: comms.CodeVersion, Message: "too old"}
		}
	})
	if _, err := client.Connect(t.Context(), client.Options{Routers: []string{c.router.addr()}}); !errors.As(err, &refused) || refused.Code != comms.CodeVersion {
		t.Errorf("a refused login: %v", err)
	}
}

func TestJoinOfNoRoomFailsForGood(t *testing.T) {
	c := newCluster("s1")
	t.Cleanup(c.close)
	s := login(t, "ada", c.router.addr())
	c.mu.Lock()
	c.refuse = func(_ string, command comms.Command) comms.Event {
		if join, ok := command.(comms.JoinRoom); ok && join.Room == "nowhere" {
			return comms.Error{Code: comms.CodeNoRoom, Message: "there is none", Room: join.Room}
		}
		return nil
	}
	c.mu.Unlock()
	var refused *client.Refused
	if err := s.Join(t.Context(), "nowhere", nil); !errors.As(err, &refused) || refused.Code != comms.CodeNoRoom {
		t.Errorf("got %v", err)
	}
	if _, err := s.Post("nowhere", "x"); !errors.Is(err, client.ErrNotJoined) {
		t.Errorf("a post after it: %v", err)
	}
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Errorf("another room: %v", err)
	}
}

func TestLeaveAndComeBack(t *testing.T) {
	_, s := connected(t, "s1")
	if err := s.Leave(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	next[client.Left](t, s)
	if err := s.Leave(t.Context(), "go"); !errors.Is(err, client.ErrNotJoined) {
		t.Errorf("a second leave: %v", err)
	}
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Errorf("joined again: %v", err)
	}
}

// TestLeaveWhileNobodyServes must not leave the room behind.
func TestLeaveWhileNobodyServes(t *testing.T) {
	c, s := connected(t, "s1")
	c.shards["s1"].kill()
	next[client.RoomLink](t, s)
	post(t, s, 1)
	if err := s.Leave(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	if failed := next[client.SendFailed](t, s); failed.Room != "go" {
		t.Errorf("failed: %+v", failed)
	}
	next[client.Left](t, s)
}

// TestShardsAreAskedWhenNoRouterIsThere: a shard that stood still cannot say at
// once where its rooms went, and there is no router to ask.
func TestShardsAreAskedWhenNoRouterIsThere(t *testing.T) {
	for name, elsewhere := range map[string]bool{"the same shard answers later": false, "another one has the room": true} {
		t.Run(name, func(t *testing.T) {
			c, s := connected(t, "s1", "s2")
			if elsewhere { // the session has met the other one before
				c.move("go", "s2", true)
				awaitUp(t, s, "s2")
				c.move("go", "s1", true)
				awaitUp(t, s, "s1")
			}
			c.router.kill()
			next[client.RouterLink](t, s)
			joins := 0
			c.mu.Lock()
			c.refuse = func(shard string, command comms.Command) comms.Event {
				join, ok := command.(comms.JoinRoom)
				if !ok || shard != "s1" {
					return nil
				}
				if joins++; joins > 3 && !elsewhere {
					return nil
				}
				return comms.Redirect{Room: join.Room, Retry: 1}
			}
			if elsewhere {
				c.owner["go"] = "s2"
			}
			c.mu.Unlock()
			c.shards["s1"].reset()
			want := "s1"
			if elsewhere {
				want = "s2"
			}
			awaitUp(t, s, want)
		})
	}
}

// awaitUp reads events until the room is served by shard.
func awaitUp(t *testing.T, s *client.Session, shard string) {
	t.Helper()
	for {
		if at := next[client.RoomLink](t, s); at.State == client.LinkUp && at.Shard == shard {
			return
		}
	}
}

func TestUnreadEventsStopTheNetwork(t *testing.T) {
	c, s := connected(t, "s1")
	const all = 20_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seq := uint64(1); seq <= all; seq++ {
			c.shards["s1"].tell(message("go", comms.Record{Seq: seq, Epoch: 1, User: "bob", ID: fmt.Sprint(seq), Content: strings.Repeat("x", 1000)}))
		}
	}()
	select {
	case <-done:
		t.Error("20 MB went into a session that nobody reads")
	case <-time.After(300 * time.Millisecond): // time for it to come to a halt
	}
	for want := uint64(1); want <= all; want++ {
		if m := next[client.Message](t, s); m.Seq != want {
			t.Fatalf("got %d, want %d", m.Seq, want)
		}
	}
	<-done
}

func TestClosedSessionSaysSo(t *testing.T) {
	_, s := connected(t, "s1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Post("go", "x"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("post: %v", err)
	}
	if err := s.Join(t.Context(), "tea", nil); !errors.Is(err, client.ErrClosed) {
		t.Errorf("join: %v", err)
	}
	for range s.Events() {
	}
}

// TestRepostKeepsItsID carries what an earlier session left to a new one.
func TestRepostKeepsItsID(t *testing.T) {
	c, s := connected(t, "s1")
	if err := s.Repost("go", "from yesterday", "old-1", 7); err != nil {
		t.Fatal(err)
	}
	if m := next[client.Message](t, s); m.ID != "old-1" || !m.Mine {
		t.Errorf("got %+v", m)
	}
	sent := commands[comms.SendMessage](c)
	if len(sent) != 1 || !sent[0].Again || sent[0].Seen != 7 {
		t.Errorf("sent %+v", sent)
	}
}
