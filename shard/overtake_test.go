package shard

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestNothingOvertakesARefusedMessage: a client has sent more by the time it
// hears that a message was refused. Whatever the reason, what follows may not
// be stored before that one has come again.
func TestNothingOvertakesARefusedMessage(t *testing.T) {
	for name, c := range map[string]struct {
		first comms.SendMessage
		await bool // until the owner may not answer without its log
	}{
		"the partition is not to be had": {comms.SendMessage{Room: "go", Content: "two", ID: "i2"}, true},
		"the append is refused":          {comms.SendMessage{Room: "go", Content: "two", ID: "i2"}, false},
		"the log cannot be looked through": {
			comms.SendMessage{Room: "go", Content: "two", ID: "i2", Again: true}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := memlog.NewStore().Open()
			addr := serveOn(t, log)
			ada, other := login(t, addr, "ada"), login(t, addr, "bob")
			ada.join("go", nil)
			for i := range uint64(windowSize + 2) { // the first is not in the window any more
				ada.say(comms.SendMessage{Room: "go", Content: "x", ID: fmt.Sprint("n", i)})
				ada.message()
			}
			log.Cut(true)
			for deadline := time.Now().Add(10 * time.Second); c.await; {
				other.say(comms.Locate{Room: "go"})
				if e, ok := other.next().(comms.Error); ok && comms.Retryable(e.Code) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the shard answers without its log")
				}
			}
			ada.say(c.first)
			if e, ok := ada.next().(comms.Error); !ok || !comms.Retryable(e.Code) || e.ID != "i2" {
				t.Fatalf("got %+v, want that it comes again", e)
			}
			log.Cut(false)
			three := comms.SendMessage{Room: "go", Content: "three", ID: "i3"}
			ada.say(three)
			ada.refused(comms.CodeOutOfOrder)
			ada.say(c.first, three)
			for i, want := range []string{"two", "three"} {
				if m := ada.message(); m.Content != want || m.Seq != uint64(windowSize+3+i) {
					t.Errorf("got %+v, want %s", m, want)
				}
			}
		})
	}
}

// gated is a log whose appends, once armed, wait for a verdict each.
type gated struct {
	*memlog.Log
	armed   atomic.Bool
	begun   chan struct{}
	verdict chan error // nil: the append is made
}

func newGated() *gated {
	return &gated{Log: memlog.NewStore().Open(), begun: make(chan struct{}), verdict: make(chan error)}
}

func (g *gated) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	if g.armed.Load() {
		g.begun <- struct{}{}
		if err := <-g.verdict; err != nil {
			return err
		}
	}
	return g.Log.Append(ctx, partition, epoch, records)
}

// settle gives the append under way its verdict, and lets all that follow be made.
func (g *gated) settle(err error) {
	g.armed.Store(false)
	g.verdict <- err
}

func say(id string) comms.SendMessage {
	return comms.SendMessage{Room: "go", Content: "content of " + id, ID: id}
}

// awaitRefusals reads until each of ids was refused to c.
func (c *talker) awaitRefusals(ids ...string) {
	c.t.Helper()
	for want := slices.Clone(ids); len(want) > 0; {
		got := c.next()
		e, ok := got.(comms.Error)
		if !ok || !comms.Retryable(e.Code) {
			c.t.Fatalf("got %+v, want that %v are refused", got, want)
		}
		want = slices.DeleteFunc(want, func(id string) bool { return id == e.ID })
	}
}

// awaitMessages reads until c got these, in this order; what is not a message is skipped.
func (c *talker) awaitMessages(ids ...string) {
	c.t.Helper()
	for len(ids) > 0 {
		if m, ok := c.next().(comms.UserMessage); ok {
			if m.ID != ids[0] {
				c.t.Fatalf("got %+v, want %s", m, ids[0])
			}
			ids = ids[1:]
		}
	}
}

// behindAnother has bob's message under way, and ada's first queued behind it.
func behindAnother(t *testing.T, log *gated, addr string) (ada, bob *talker) {
	ada, bob = login(t, addr, "ada"), login(t, addr, "bob")
	ada.join("go", nil)
	bob.join("go", nil)
	log.armed.Store(true)
	bob.say(say("b1"))
	<-log.begun
	ada.say(say("i1"), comms.Ping{N: 1})
	if pong, ok := ada.next().(comms.PongEvent); !ok {
		t.Fatalf("got %+v", pong)
	}
	return ada, bob
}

// TestFailedCommitIsRepeatedBeforeWhatWasRefusedMeanwhile: the second message
// was refused while the first was under way, which fails after that.
func TestFailedCommitIsRepeatedBeforeWhatWasRefusedMeanwhile(t *testing.T) {
	log := newGated()
	addr := serveOn(t, log)
	ada, bob := behindAnother(t, log, addr)
	log.Cut(true)
	for refused := false; !refused; { // until the owner may not answer without its log
		bob2 := login(t, addr, "carl")
		bob2.say(comms.Locate{Room: "go"})
		_, refused = bob2.next().(comms.Error)
	}
	ada.say(say("i2"))
	ada.awaitRefusals("i2")
	log.settle(roomlog.ErrRefused)
	ada.awaitRefusals("i1")
	bob.awaitRefusals("b1")
	log.Cut(false)
	ada.say(say("i2"))
	ada.awaitRefusals("i2")
	ada.say(say("i1"), say("i2"))
	ada.awaitMessages("i1", "i2")
}

// TestRepeatOverAnotherConnectionHearsOfTheFailure: the connection breaks while
// a message waits for its commit; the next one repeats it, and sends another.
func TestRepeatOverAnotherConnectionHearsOfTheFailure(t *testing.T) {
	log := newGated()
	addr := serveOn(t, log)
	first, _ := behindAnother(t, log, addr)
	first.nc.Close() //nolint:errcheck // as a network does
	ada := login(t, addr, "ada")
	ada.join("go", nil)
	ada.say(say("i1"), say("i2"), comms.Ping{N: 2})
	if pong, ok := ada.next().(comms.PongEvent); !ok {
		t.Fatalf("got %+v", pong)
	}
	log.verdict <- nil // bob's
	<-log.begun
	ada.awaitMessages("b1")
	log.settle(roomlog.ErrRefused)
	ada.awaitRefusals("i1", "i2")
	ada.say(say("i2"))
	ada.awaitRefusals("i2")
	ada.say(say("i1"), say("i2"))
	ada.awaitMessages("i1", "i2")
}

// TestWhatTheFirstConnectionHoldsDoesNotFollowTheFailure: it has not been read
// yet, since the connection's own reader is storing the message that fails and
// that the sender has repeated over another connection.
func TestWhatTheFirstConnectionHoldsDoesNotFollowTheFailure(t *testing.T) {
	log := newGated()
	addr := serveOn(t, log)
	first, second := login(t, addr, "ada"), login(t, addr, "ada")
	first.join("go", nil)
	second.join("go", nil)
	log.armed.Store(true)
	first.say(say("i1"))
	<-log.begun
	first.say(say("i2"))
	second.say(say("i1"), say("i2"), comms.Ping{N: 1})
	if pong, ok := second.next().(comms.PongEvent); !ok {
		t.Fatalf("got %+v", pong)
	}
	log.settle(roomlog.ErrRefused)
	second.awaitRefusals("i1", "i2")
	first.awaitRefusals("i2")
	second.say(say("i1"), say("i2"))
	second.awaitMessages("i1", "i2")
}

// TestNothingOfOneWhoIsGoneOvertakesWhatFailed: nobody is there to be told that
// the first must come again, so the second must not be stored either.
func TestNothingOfOneWhoIsGoneOvertakesWhatFailed(t *testing.T) {
	log := newGated()
	addr := serveOn(t, log, unforgiving)
	ada, bob := behindAnother(t, log, addr)
	log.verdict <- nil // bob's
	<-log.begun        // ada's first
	ada.say(say("i2"), comms.Ping{N: 2})
	ada.awaitMessages("b1")
	if pong, ok := ada.next().(comms.PongEvent); !ok {
		t.Fatalf("got %+v", pong)
	}
	ada.nc.Close() //nolint:errcheck // as a network does
	for left := false; !left; {
		left = slices.Contains(bob.told().Left, "ada")
	}
	log.settle(roomlog.ErrRefused)
	again := login(t, addr, "ada")
	again.join("go", nil)
	again.say(say("i1"), say("i2"))
	again.awaitMessages("i1", "i2")
	if at, _, err := log.Head(t.Context(), membership.Partition("go"), "go"); err != nil || at.Seq != 3 {
		t.Errorf("the room has %d records, %v; want 3", at.Seq, err)
	}
}
