package shard

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestHoldingThatIsOverOpensNothing: a session that was told of a holding and
// goes on only after the partition moved away must not open it under the old
// epoch. What it opened stayed when the partition came back, and every append
// in it was fenced until the partition moved once more.
func TestHoldingThatIsOverOpensNothing(t *testing.T) {
	store := memlog.NewStore().Open()
	server := serverOn(t, store)
	partition := membership.Partition("go")
	old, err := server.keeper.Hold(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Release(t.Context(), partition, old.Epoch, roomlog.Release{}); err != nil {
		t.Fatal(err)
	}
	server.keeper.Recheck(partition) // and is deposed
	if p, err := server.opened(t.Context(), old); p != nil || err == nil {
		t.Errorf("epoch %d is over and was opened: %v", old.Epoch, err)
	}
	ada := login(t, server.opts.Listener.Addr().String(), "ada")
	ada.join("go", nil)
	ada.say(comms.SendMessage{Room: "go", Content: "one", ID: "i1"})
	if m := ada.message(); m.Epoch <= old.Epoch {
		t.Errorf("stored under epoch %d, want a later one than %d", m.Epoch, old.Epoch)
	}
}

// counted is a log that counts what is read of its rooms, and waits before.
type counted struct {
	*memlog.Log
	reads atomic.Int64
	wait  func()
}

func (c *counted) ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	c.reads.Add(1)
	if c.wait != nil {
		c.wait()
	}
	return c.Log.ReadBack(ctx, partition, room, before, limit, maxBytes)
}

func (c *counted) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	c.reads.Add(1)
	return c.Log.Read(ctx, partition, room, from, limit, maxBytes)
}

// TestRoomThatMovedIsReadOnce: all its people come at once, each from behind the
// last record they saw.
func TestRoomThatMovedIsReadOnce(t *testing.T) {
	const n = 8
	log := &counted{Log: memlog.NewStore().Open()}
	server := serverOn(t, log)
	addr, partition := server.opts.Listener.Addr().String(), membership.Partition("go")
	ada := login(t, addr, "ada")
	ada.join("go", nil)
	var last comms.Position
	for i := range 2 * n {
		ada.say(comms.SendMessage{Room: "go", Content: "hi", ID: fmt.Sprint("i", i)})
		m := ada.message()
		last = comms.Position{Seq: m.Seq, Epoch: m.Epoch}
	}
	if err := log.Release(t.Context(), partition, last.Epoch, roomlog.Release{}); err != nil {
		t.Fatal(err)
	}
	server.keeper.Recheck(partition) // it goes, and comes back with the first who asks
	var crowd []*talker
	for i := range n {
		crowd = append(crowd, login(t, addr, fmt.Sprint("user", i)))
	}
	log.reads.Store(0)
	log.wait = func() { await(t, "all wait for the room", func() bool { return goroutinesIn("(*part).turn") == n-1 }) }
	for i, c := range crowd {
		after := last
		after.Seq -= uint64(i % 3)
		c.say(comms.JoinRoom{Room: "go", After: &after})
	}
	for i, c := range crowd {
		if e, ok := c.next().(comms.UserJoinedRoom); !ok || e.Head != last.Seq {
			t.Errorf("got %+v", e)
		}
		for missed := range uint64(i % 3) {
			if m := c.message(); m.Seq != last.Seq-uint64(i%3)+missed+1 {
				t.Errorf("user%d got %+v", i, m)
			}
		}
	}
	// Two thirds of them have missed something, which the stream reads.
	if reads, most := log.reads.Load(), int64(1+(2*n+2)/3); reads > most {
		t.Errorf("the log was read %d times for %d joins, want %d at most", reads, n, most)
	}
}
