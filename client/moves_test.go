package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

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
	asked := 0
	for _, locate := range commands[comms.Locate](c) {
		if locate.At == "" { // else it was told where the client is
			asked++
		}
	}
	if asked < 3 {
		t.Errorf("the router was asked %d times through 10 redirects", asked)
	}
}

// storedSince sends a message and tells how long after the client was sent back
// it was stored.
func storedSince(t *testing.T, c *fakeCluster, s *client.Session, back *time.Time) time.Duration {
	t.Helper()
	if _, err := s.Send(t.Context(), "go", "after"); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	took := time.Since(*back)
	t.Logf("it was stored %s after the client was sent back", took)
	return took
}

// storedAfterPush has the router say that the room is at a shard from now on, and
// holds the client to storing a message soon after it.
func storedAfterPush(t *testing.T, c *fakeCluster, s *client.Session, to string) {
	t.Helper()
	start := time.Now()
	c.router.tell(comms.RoomMoved{Rooms: []string{"go"}, Shard: to, Addr: c.shards[to].addr()})
	if _, err := s.Send(t.Context(), "go", "after"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("it was stored %s after the router's word", took)
	if took > 1500*time.Millisecond {
		t.Error("it waited for a shard of which a router said that it is gone")
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
	if took := storedSince(t, c, s, &back); took > 2*time.Second {
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

// TestSentBackToWhoOnlyGreets: the room's shard is cut from its log, so that it
// greets whoever comes and then answers nothing that needs the log. It was fled
// from all the same.
func TestSentBackToWhoOnlyGreets(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	if _, err := s.Send(t.Context(), "go", "before"); err != nil {
		t.Fatal(err)
	}
	var back time.Time
	c.mu.Lock()
	c.guess = "s2"
	c.refuse = func(shard string, command comms.Command) comms.Event {
		join, joins := command.(comms.JoinRoom)
		_, greets := command.(comms.Hello)
		_, pong := command.(comms.Pong)
		switch {
		case pong:
			return comms.PongEvent{}
		case shard == "s1" && !greets:
			return comms.PingEvent{} // it is alive
		case shard == "s2" && joins && back.IsZero():
			back = time.Now()
			c.owner["go"] = "s2" // it learns so meanwhile
			return comms.Redirect{Room: join.Room, Shard: "s1", Addr: c.shards["s1"].addr()}
		}
		return nil
	}
	c.mu.Unlock()
	if took := storedSince(t, c, s, &back); took > 2*time.Second {
		t.Error("a greeting was taken for an answer")
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
	storedAfterPush(t, c, s, "s2")
}

// TestSentBackToTheSecondDead: the room's shard was killed, and who was to take
// over from it falls silent in the midst of that. The third sends the client back.
func TestSentBackToTheSecondDead(t *testing.T) {
	c, s := connected(t, "s1", "s2", "s3")
	if _, err := s.Send(t.Context(), "go", "before"); err != nil {
		t.Fatal(err)
	}
	sent, joining := false, make(chan struct{})
	c.mu.Lock()
	c.guess = "s2"
	c.refuse = func(shard string, command comms.Command) comms.Event {
		join, ok := command.(comms.JoinRoom)
		switch {
		case ok && shard == "s2" && c.silent == "":
			c.silent = "s2"
			close(joining)
			return comms.PingEvent{}
		case ok && shard == "s3" && !sent:
			sent = true
			c.owner["go"] = "s3"
			return comms.Redirect{Room: join.Room, Shard: "s2", Addr: c.shards["s2"].addr()}
		}
		return nil
	}
	c.mu.Unlock()
	c.router.tell(comms.RoomMoved{Rooms: []string{"go"}, Shard: "s2", Addr: c.shards["s2"].addr()})
	c.shards["s1"].kill()
	<-joining
	c.set(func() { c.guess = "s3" })
	storedAfterPush(t, c, s, "s3")
}

// TestRouterIsToldOfWhoDoesNotAnswer: a shard to which a redirect led falls
// silent before the room was joined there, and the router is to watch it.
func TestRouterIsToldOfWhoDoesNotAnswer(t *testing.T) {
	c := newCluster("s1", "s2")
	t.Cleanup(c.close)
	told := make(chan struct{})
	tell := sync.OnceFunc(func() { close(told) }) // it may ask more than once
	c.set(func() {
		c.owner["go"] = "s2" // the router's guess is s1
		c.refuse = func(shard string, command comms.Command) comms.Event {
			switch command := command.(type) {
			case comms.JoinRoom:
				if shard == "s2" {
					c.silent = "s2"
					return comms.PingEvent{}
				}
			case comms.Locate:
				if command.At == c.shards["s2"].addr() {
					tell()
					return comms.Error{Code: comms.CodeNoShard, Message: "no shard serves just now", Room: command.Room}
				}
			}
			return nil
		}
	})
	s := login(t, "ada", c.router.addr())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	joined := make(chan error, 1)
	go func() { joined <- s.Join(ctx, "go", nil) }()
	select {
	case <-told:
	case err := <-joined:
		t.Fatalf("it was joined, and the router was not told: %v", err)
	}
	c.set(func() { c.owner["go"], c.guess, c.refuse = "s1", "s1", nil })
	start := time.Now()
	c.router.tell(comms.RoomMoved{Rooms: []string{"go"}, Shard: "s1", Addr: c.shards["s1"].addr()})
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("it took %s from the router's word to the join", took)
	}
}

// TestRouterWithoutShardsIsNotWaitedFor: a router that knew of no shard when it
// was told where the room is owes no answer to that any more.
func TestRouterWithoutShardsIsNotWaitedFor(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	refused := make(chan struct{})
	c.set(func() {
		c.refuse = func(_ string, command comms.Command) comms.Event {
			if locate, ok := command.(comms.Locate); ok && locate.At != "" {
				close(refused)
				c.refuse = nil
				return comms.Error{Code: comms.CodeNoShard, Message: "no shard serves just now", Room: locate.Room}
			}
			return nil
		}
	})
	c.router.reset() // the next connection is told
	<-refused
	c.set(func() { c.guess, c.owner["go"] = "s2", "s2" })
	start := time.Now()
	c.shards["s1"].kill()
	if _, err := s.Send(t.Context(), "go", "after"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("the room was away for %s: an answer was taken for another", took)
	}
}

// TestRefusedAndThenUnheard: the room's shard is cut from its log. It refuses a
// message when its patience with the log ends, and hangs in the next one; where
// the room is was to be asked counting from the first.
func TestRefusedAndThenUnheard(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	if _, err := s.Send(t.Context(), "go", "before"); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.refuse = func(shard string, command comms.Command) comms.Event {
		m, ok := command.(comms.SendMessage)
		if !ok || shard != "s1" || c.silent != "" {
			return nil
		}
		<-time.After(time.Second) // its patience
		c.silent, c.guess, c.owner["go"] = "s1", "s2", "s2"
		return comms.Error{Code: comms.CodeUnknownFate, Message: "the log did not answer", Room: m.Room, ID: m.ID, Retry: 100}
	}
	c.mu.Unlock()
	start := time.Now()
	if _, err := s.Send(t.Context(), "go", "after"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("it was stored after %s", took)
	if took > 2200*time.Millisecond {
		t.Error("a refusal put off the question where the room is")
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
	// When it turns there, and once more when it was joined if the router had named
	// s1 in its answer by then: it may not have known s2 yet.
	locates := told(2)
	if last := locates[len(locates)-1]; len(locates) > 3 || locates[1].At != c.shards["s2"].addr() || last.At != c.shards["s2"].addr() {
		t.Errorf("asked %+v", locates)
	}
	before := len(commands[comms.Locate](c)) // it may be told before the event is read
	c.router.reset()
	for !next[client.RouterLink](t, s).Up {
	}
	locates = told(before + 1)
	if len(locates) <= before || locates[before].At != c.shards["s2"].addr() {
		t.Errorf("after the router came back: %+v", locates)
	}
}

// toAndFro has the room change its shard 40 times, in a bubble, and holds the
// client to following within limit, in the mean. change makes one and tells when
// that was.
func toAndFro(t *testing.T, limit time.Duration, change func(t *testing.T, c *fakeCluster, s *client.Session, from, to string) time.Time) {
	t.Helper()
	inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		next[client.Joined](t, s)
		acknowledged(t, s, 1, post(t, s, 1))
		at, rounds := "s1", 40
		var waited time.Duration
		for i := range rounds {
			to := map[string]string{"s1": "s2", "s2": "s1"}[at]
			start := change(t, c, s, at, to)
			for next[client.RoomLink](t, s).State != client.LinkUp {
			}
			waited += time.Since(start)
			acknowledged(t, s, uint64(i+2), post(t, s, 1))
			at = to
		}
		t.Logf("%d changes took %s each", rounds, waited/time.Duration(rounds))
		if waited > time.Duration(rounds)*limit {
			t.Error("a change waits for the client's next tick")
		}
	}, "s1", "s2")
}

// TestDeathIsFollowedAtOnce: a router says that a shard is gone, and to come back
// within some milliseconds, which are not rounded up to the client's next tick.
func TestDeathIsFollowedAtOnce(t *testing.T) {
	toAndFro(t, 4*time.Millisecond, func(_ *testing.T, c *fakeCluster, _ *client.Session, _, to string) time.Time {
		c.move("go", to, false)
		start := time.Now()
		c.router.tell(comms.RoomMoved{Rooms: []string{"go"}, Shard: to, Addr: c.shards[to].addr(), Spread: 4})
		return start
	})
}

// TestMoveIsFollowedAtOnce: the connection to where the room goes was opened
// when the move was announced, so nothing is left to wait for.
func TestMoveIsFollowedAtOnce(t *testing.T) {
	toAndFro(t, 0, func(t *testing.T, c *fakeCluster, s *client.Session, from, to string) time.Time {
		c.shards[from].tell(comms.RoomMoving{Rooms: []string{"go"}, Shard: to, Addr: c.shards[to].addr()})
		for next[client.RoomLink](t, s).State != client.LinkMoving {
		}
		start := time.Now()
		c.move("go", to, true)
		return start
	})
}

// TestFirstQuestionToAShardGoesOutAtOnce: with the connection that it needs.
func TestFirstQuestionToAShardGoesOutAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		c.owner["go"] = "s2"
		start := time.Now()
		if _, err := s.History(t.Context(), comms.History{Room: "go", From: 1, Limit: 1}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("an answer after %s, through two shards that answer at once", took)
		}
	}, "s1", "s2")
}

// TestQuestionGivenUpIsNotAskedLater: a room that nobody waits for any more is not made.
func TestQuestionGivenUpIsNotAskedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dial := piped("s1")
		defer c.wg.Wait()
		s, err := client.Connect(t.Context(), client.Options{Routers: []string{"router"}, User: "ada", Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			if addr == "s1" {
				<-time.After(time.Second)
			}
			return dial(ctx, addr)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // never fails
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := s.Create(ctx, "go", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("create, given up: %v", err)
		}
		<-time.After(10 * time.Second)
		if made := commands[comms.CreateRoom](c); len(made) > 0 {
			t.Errorf("asked for all the same: %+v", made)
		}
	})
}

// TestRoomMovesToWhereThereAreTooMany: it is asked for again, in case another is
// left there, but not all the time, by as many rooms as there may be.
func TestRoomMovesToWhereThereAreTooMany(t *testing.T) {
	inRoom(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		refused := 0
		c.set(func() {
			c.refuse = func(server string, command comms.Command) comms.Event {
				if join, ok := command.(comms.JoinRoom); ok && server == "s2" {
					refused++
					return comms.Error{Code: comms.CodeTooMany, Room: join.Room}
				}
				return nil
			}
		})
		synctest.Wait()
		c.move("go", "s2", true)
		ids := post(t, s, 1)
		<-time.After(time.Minute)
		c.set(func() {
			if refused < 2 || refused > 15 {
				t.Errorf("asked %d times in a minute, want 2 to 15", refused)
			}
			c.refuse = nil
		})
		acknowledged(t, s, 1, ids)
	}, "s1", "s2")
}
