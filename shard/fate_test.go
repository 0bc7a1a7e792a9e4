package shard

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
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

// TestOwnerThatMayBeDeposedShowsNobodyAsGone: a shard that stood still, or that
// does not reach the log, sees the connections end of those who have gone to its
// successor. Who is still here must not be told that they left.
func TestOwnerThatMayBeDeposedShowsNobodyAsGone(t *testing.T) {
	log := memlog.NewStore().Open()
	addr := serveOn(t, log)
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
