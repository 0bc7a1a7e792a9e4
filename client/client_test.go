package client_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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
			var refused *client.RefusedError
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

// TestJoinFailsForGood where asking again is no help.
func TestJoinFailsForGood(t *testing.T) {
	for _, code := range []string{comms.CodeNoRoom, comms.CodeTooMany} {
		t.Run(code, func(t *testing.T) {
			c := newCluster("s1")
			t.Cleanup(c.close)
			s := login(t, "ada", c.router.addr())
			c.set(func() {
				c.refuse = func(_ string, command comms.Command) comms.Event {
					if join, ok := command.(comms.JoinRoom); ok && join.Room == "nowhere" {
						return comms.Error{Code: code, Message: "no", Room: join.Room}
					}
					return nil
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var refused *client.RefusedError
			if err := s.Join(ctx, "nowhere", nil); !errors.As(err, &refused) || refused.Code != code {
				t.Errorf("got %v", err)
			}
			if _, err := s.Post("nowhere", "x"); !errors.Is(err, client.ErrNotJoined) {
				t.Errorf("a post after it: %v", err)
			}
			if err := s.Join(ctx, "go", nil); err != nil {
				t.Errorf("another room: %v", err)
			}
		})
	}
}

// TestTicketThatExpiresAtOnce: a shard whose clock is far ahead of the router's
// refuses each one, and who waits for it hears what is to be done.
func TestTicketThatExpiresAtOnce(t *testing.T) {
	c := newCluster("s1")
	t.Cleanup(c.close)
	s := login(t, "ada", c.router.addr())
	c.set(func() {
		c.refuse = func(server string, command comms.Command) comms.Event {
			if _, ok := command.(comms.Hello); ok && server == "s1" {
				return comms.Error{Code: comms.CodeExpired, Message: "set the clocks"}
			}
			return nil
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var refused *client.RefusedError
	if err := s.Join(ctx, "go", nil); !errors.As(err, &refused) || refused.Code != comms.CodeExpired || refused.Message != "set the clocks" {
		t.Errorf("got %v", err)
	}
}

// TestTicketOfAShardThatExpires: one shard's clock may be behind; a router's ticket
// is good at the next.
func TestTicketOfAShardThatExpires(t *testing.T) {
	c := newCluster("s1", "s2")
	t.Cleanup(c.close)
	s := login(t, "ada", c.router.addr())
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	c.set(func() {
		c.guess = "s2"
		c.refuse = func(server string, command comms.Command) comms.Event {
			switch command := command.(type) {
			case comms.Renew:
				go c.shards["s2"].reset() // as a shard does after a hello that it refused
				return comms.Ticket{Ticket: "a router's"}
			case comms.Hello:
				if server == "s2" && command.Ticket != "a router's" {
					return comms.Error{Code: comms.CodeExpired, Message: "expired"}
				}
			}
			return nil
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Join(ctx, "tea", nil); err != nil {
		t.Error(err)
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

// TestLeaveBeforeTheRoomIsJoined ends the join with an error.
func TestLeaveBeforeTheRoomIsJoined(t *testing.T) {
	c := newCluster("s1")
	t.Cleanup(c.close)
	asked := make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) }) // it may be more than once
	c.set(func() {
		c.refuse = func(shard string, command comms.Command) comms.Event {
			if _, joins := command.(comms.JoinRoom); joins {
				ask()
				return comms.PingEvent{}
			}
			return nil
		}
	})
	s := login(t, "ada", c.router.addr())
	joined := make(chan error, 1)
	go func() { joined <- s.Join(t.Context(), "go", nil) }()
	<-asked
	if err := s.Leave(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	if err := <-joined; !errors.Is(err, client.ErrLeft) {
		t.Errorf("the join ended with %v", err)
	}
}

// TestJoinGivenUpOnTheWay must leave nobody in the room, whose shard completes
// the join: it would stream the room to us, and refuse the next join.
func TestJoinGivenUpOnTheWay(t *testing.T) {
	here := comms.UserJoinedRoom{Room: "go", Users: []string{"ada"}, Count: 1, Epoch: 1}
	for name, c := range map[string]struct {
		leave  bool // instead of the context's end
		answer comms.Event
		want   []comms.Command
	}{
		"cancelled": {false, here, []comms.Command{comms.JoinRoom{Room: "go"}, comms.LeaveRoom{Room: "go"}, comms.JoinRoom{Room: "go"}}},
		"left":      {true, here, []comms.Command{comms.JoinRoom{Room: "go"}, comms.LeaveRoom{Room: "go"}, comms.JoinRoom{Room: "go"}}},
		"refused":   {false, comms.Error{Code: comms.CodeNoRoom, Room: "go"}, []comms.Command{comms.JoinRoom{Room: "go"}, comms.JoinRoom{Room: "go"}}},
		"sent away": {true, comms.Redirect{Room: "go"}, []comms.Command{comms.JoinRoom{Room: "go"}, comms.JoinRoom{Room: "go"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, s := connected(t, "s1")
			if err := s.Leave(t.Context(), "go"); err != nil {
				t.Fatal(err)
			}
			next[client.Left](t, s)
			cluster.mu.Lock()
			before := len(cluster.heard)
			asked, there := make(chan struct{}), false
			cluster.refuse = func(_ string, command comms.Command) comms.Event {
				switch command.(type) {
				case comms.JoinRoom:
					select {
					case <-asked:
						if there {
							return comms.Error{Code: comms.CodeJoined, Room: "go"}
						}
					default:
						close(asked)
						_, there = c.answer.(comms.UserJoinedRoom)
						return comms.PingEvent{} // the answer comes below
					}
				case comms.LeaveRoom, comms.Hello: // one of another connection
					there = false
				}
				return nil
			}
			cluster.mu.Unlock()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			joined := make(chan error, 1)
			go func() { joined <- s.Join(ctx, "go", nil) }()
			<-asked
			ids := post(t, s, 1)
			want := context.Canceled
			if c.leave {
				want = client.ErrLeft
				if err := s.Leave(t.Context(), "go"); err != nil {
					t.Fatal(err)
				}
			} else {
				cancel()
			}
			if err := <-joined; !errors.Is(err, want) {
				t.Errorf("the join ended with %v, want %v", err, want)
			}
			if failed := next[client.SendFailed](t, s); failed.ID != ids[0] {
				t.Errorf("failed: %+v, want %s", failed, ids[0])
			}
			go func() { joined <- s.Join(t.Context(), "go", nil) }()
			cluster.shards["s1"].tell(c.answer)
			if err := <-joined; err != nil {
				t.Errorf("joined again: %v", err)
			}
			acknowledged(t, s, 1, post(t, s, 1))
			var got []comms.Command
			cluster.mu.Lock()
			for _, h := range cluster.heard[before:] {
				switch h.command.(type) {
				case comms.Hello, comms.JoinRoom, comms.LeaveRoom:
					got = append(got, h.command)
				}
			}
			cluster.mu.Unlock()
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("heard %+v, want %+v", got, c.want)
			}
		})
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

// TestClosedSessionTellsWhatItKnew: who it was of, and what another session of
// the same user has to post again.
func TestClosedSessionTellsWhatItKnew(t *testing.T) {
	c := newCluster("s1")
	t.Cleanup(c.close)
	s := login(t, "", c.router.addr())
	if err := s.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	c.set(func() { c.silent = "s1" })
	ids := post(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if user := s.User(); user != "guest" {
		t.Errorf("it was of %q", user)
	}
	left := s.Unacknowledged()
	if len(left) != 2 || left[0].ID != ids[0] || left[1].ID != ids[1] {
		t.Errorf("not acknowledged: %v, want %v", left, ids)
	}
}

// TestUnacknowledgedTellsTopicsFromMessages: one that is posted again as the
// other would be a description that is read out to the room.
func TestUnacknowledgedTellsTopicsFromMessages(t *testing.T) {
	c, s := connected(t, "s1")
	c.set(func() { c.silent = "s1" })
	post(t, s, 1)
	if _, err := s.PostTopic("go", "gophers"); err != nil {
		t.Fatal(err)
	}
	if left := s.Unacknowledged(); len(left) != 2 || left[0].Topic || !left[1].Topic {
		t.Errorf("not acknowledged: %+v", left)
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

// TestCloseSaysSo: the others are to see at once that the user left, where a
// connection that broke off may come back.
func TestCloseSaysSo(t *testing.T) {
	c, s := connected(t, "s1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.heardAll()
	if n := len(commands[comms.Quit](c)); n != 1 {
		t.Errorf("quit was said %d times", n)
	}
}
