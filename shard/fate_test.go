package shard

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// elusive is a log that, once armed, stores an append, answers that it cannot
// know, and is not to be reached for a while after that: an election among the
// servers behind it.
type elusive struct {
	*memlog.Log
	armed atomic.Bool
	away  time.Duration
}

func (e *elusive) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	lose := e.armed.CompareAndSwap(true, false)
	if lose {
		e.LoseAnswers(1)
	}
	err := e.Log.Append(ctx, partition, epoch, records)
	if lose {
		e.Cut(true)
		time.AfterFunc(e.away, func() { e.Cut(false) })
	}
	return err
}

// TestUnknownFateIsFoundOutWhenTheLogIsBack: a message that was stored without
// an answer is acknowledged once the log can be asked, is there once, and the
// room goes on behind it.
func TestUnknownFateIsFoundOutWhenTheLogIsBack(t *testing.T) {
	log := &elusive{Log: memlog.NewStore().Open(), away: 700 * time.Millisecond}
	addr := serveOn(t, log)
	ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
	ada.join("go", nil)
	bob.join("go", nil)
	ada.say(comms.SendMessage{Room: "go", Content: "one", ID: "i1"})
	ada.message()
	bob.message()
	log.armed.Store(true)
	ada.say(comms.SendMessage{Room: "go", Content: "two", ID: "i2"})
	bob.say(comms.SendMessage{Room: "go", Content: "three", ID: "i3"})
	// Whatever is refused meanwhile is sent again, as clients do.
	for _, c := range []*talker{ada, bob} {
		for seq := uint64(2); seq <= 3; {
			switch e := c.next().(type) {
			case comms.UserMessage:
				if e.Seq != seq {
					t.Fatalf("sequence %d, want %d", e.Seq, seq)
				}
				seq++
			default:
				t.Fatalf("got %+v", e)
			}
		}
	}
	at, _, err := log.Head(t.Context(), membership.Partition("go"), "go")
	if err != nil || at.Seq != 3 {
		t.Errorf("the room has %d records, %v; want 3", at.Seq, err)
	}
}

// pair is a cluster of the shard under test and one that owns everything as
// soon as it is there.
type pair struct {
	alone
	other atomic.Pointer[membership.Member]
	kick  chan struct{}
}

func (p *pair) Table() *membership.Table {
	if m := p.other.Load(); m != nil {
		return membership.NewTable([]membership.Member{*m})
	}
	return p.alone.Table()
}

func (p *pair) Members() []membership.Member {
	if m := p.other.Load(); m != nil {
		return []membership.Member{p.self, *m}
	}
	return p.alone.Members()
}

func (p *pair) Watch() (<-chan struct{}, func()) { return p.kick, func() {} }

// willing takes whatever it is offered.
type willing struct{}

func (willing) Yield(context.Context, string, int) (string, error) { return comms.YieldNotHeld, nil }

func (willing) Offer(context.Context, string, int, bool) (bool, error) { return true, nil }

// TestMoveDoesNotWaitForAFateThatWaitsForIt: the outcome of an append is not
// known, which only a new acquisition settles, while the partition is to move.
// Neither may wait for the other for ever.
func TestMoveDoesNotWaitForAFateThatWaitsForIt(t *testing.T) {
	log := &elusive{Log: memlog.NewStore().Open(), away: 500 * time.Millisecond}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gossip := &pair{alone: alone{membership.Member{Name: "s1", Boot: membership.NewBoot(), Role: membership.RoleShard, State: membership.StateActive, Client: ln.Addr().String()}}, kick: make(chan struct{}, 1)}
	census := ownership.NewCensus(log, roomlog.Process{Name: "s1", Boot: gossip.self.Boot, OS: roomlog.ThisProcess()}, ownership.CensusOptions{Alive: gossip.Alive})
	if err := census.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := New(Options{Name: "s1", Boot: gossip.self.Boot, Listener: ln, Log: log, Gossip: gossip, Census: census, Peers: willing{}, Keys: keys, Rooms: []comms.Room{{Name: "go"}}})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { server.Run(ctx) }) //nolint:errcheck // ends with ctx
	running.Go(func() { census.Run(ctx) }) //nolint:errcheck // ends with ctx
	defer running.Wait()
	defer cancel()

	ada := login(t, gossip.self.Client, "ada")
	ada.join("go", nil)
	log.armed.Store(true)
	ada.say(comms.SendMessage{Room: "go", Content: "one", ID: "i1"})
	for log.armed.Load() {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
		}
	}
	gossip.other.Store(&membership.Member{Name: "s2", Boot: membership.NewBoot(), Role: membership.RoleShard, State: membership.StateActive, Client: "127.0.0.1:1"})
	gossip.kick <- struct{}{}
	deadline := time.Now().Add(10 * time.Second)
	for {
		at, err := log.Owner(t.Context(), membership.Partition("go"))
		if err == nil && at.Released {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("10 s later the partition has not moved: %+v, %v", at, err)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	if at, _, err := log.Head(t.Context(), membership.Partition("go"), "go"); err != nil || at.Seq != 1 {
		t.Errorf("the room has %d records, %v; want 1", at.Seq, err)
	}
}

// TestOwnerThatMayBeDeposedShowsNobodyAsGone: a shard that stood still, or that
// does not reach the log, sees the connections end of those who have gone to its
// successor. Who is still here must not be told that they left.
func TestOwnerThatMayBeDeposedShowsNobodyAsGone(t *testing.T) {
	log := memlog.NewStore().Open()
	addr := serveOn(t, log, unforgiving)
	ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
	ada.join("go", nil)
	bob.join("go", nil)
	log.Cut(true)
	for {
		ada.say(comms.History{Room: "go", Limit: 1})
		if e, is := ada.next().(comms.Error); is && e.Code == comms.CodeNotReady {
			break // it does not know any more whether it is the owner
		}
	}
	if err := bob.nc.Close(); err != nil {
		t.Fatal(err)
	}
	var back atomic.Bool
	time.AfterFunc(time.Second, func() {
		back.Store(true)
		log.Cut(false)
	})
	for {
		e, err := ada.conn.ReadEvent()
		if err != nil {
			t.Fatal(err)
		}
		if p, is := e.(comms.Presence); is && len(p.Left) > 0 {
			if !back.Load() {
				t.Errorf("%+v before the owner knew that it is still the owner", p)
			}
			return
		}
	}
}
