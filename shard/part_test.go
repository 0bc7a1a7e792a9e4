package shard

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
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
	reads, heads atomic.Int64
	wait         func()
}

func (c *counted) Head(ctx context.Context, partition int, room string) (roomlog.Position, roomlog.RoomInfo, error) {
	c.heads.Add(1)
	return c.Log.Head(ctx, partition, room)
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

// TestMovedRoomBringsItsEnd: who takes a room over reads its head alone, and
// knows what was said last; unless the log ends elsewhere.
func TestMovedRoomBringsItsEnd(t *testing.T) {
	const n = tailRecords + 3
	for name, c := range map[string]struct {
		alter func(h *handover)
		reads int64
	}{
		"as it was":      {func(*handover) {}, 0},
		"of other size":  {func(h *handover) { h.Ends["go"] = h.Ends["go"][1:] }, 0},
		"not brought":    {func(h *handover) { h.Ends = nil }, 1},
		"too short":      {func(h *handover) { h.Ends["go"] = h.Ends["go"][:tailRecords-1] }, 1},
		"another epoch":  {func(h *handover) { h.Ends["go"][tailRecords-1].Epoch++ }, 1},
		"with a hole":    {func(h *handover) { h.Ends["go"][1].Seq-- }, 1},
		"of nothing":     {func(h *handover) { h.Ends["go"] = nil }, 1},
		"of other rooms": {func(h *handover) { h.Ends = map[string][]roomlog.Record{"else": h.Ends["go"]} }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			log := &counted{Log: memlog.NewStore().Open()}
			server := serverOn(t, log)
			addr, partition := server.opts.Listener.Addr().String(), membership.Partition("go")
			ada := login(t, addr, "ada")
			ada.join("go", nil)
			var last comms.UserMessage
			for i := range n {
				ada.say(comms.SendMessage{Room: "go", Content: fmt.Sprint("no ", i), ID: fmt.Sprint("i", i)})
				last = ada.message()
			}
			b, err := (*rooms)(server).Stop(t.Context(), partition)
			if err != nil {
				t.Fatal(err)
			}
			var h handover
			if err := json.Unmarshal(b, &h); err != nil {
				t.Fatal(err)
			}
			if got := len(h.Ends["go"]); got != tailRecords {
				t.Fatalf("the handover has %d records of the room", got)
			}
			c.alter(&h)
			if b, err = json.Marshal(h); err != nil {
				t.Fatal(err)
			}
			if err := log.Release(t.Context(), partition, last.Epoch, roomlog.Release{Handover: b}); err != nil {
				t.Fatal(err)
			}
			server.keeper.Recheck(partition)
			again := login(t, addr, "ada")
			log.reads.Store(0)
			log.heads.Store(0)
			at := comms.Position{Seq: last.Seq, Epoch: last.Epoch}
			again.say(comms.JoinRoom{Room: "go", After: &at})
			if e, ok := again.next().(comms.UserJoinedRoom); !ok || e.Head != last.Seq || e.HeadEpoch != last.Epoch {
				t.Errorf("got %+v", e)
			}
			again.say(comms.SendMessage{Room: "go", Content: fmt.Sprint("no ", n-5), ID: fmt.Sprint("i", n-5), Again: true, Seen: uint64(n - 6)})
			if m := again.message(); m.Seq != n-4 || m.Epoch != last.Epoch || m.Room != "go" {
				t.Errorf("what was said before the move is answered with %+v", m)
			}
			if reads, heads := log.reads.Load(), log.heads.Load(); reads != c.reads || heads != 1 {
				t.Errorf("the log was read %d times, want %d, and asked for heads %d times, want once", reads, c.reads, heads)
			}
		})
	}
}

// TestHandoverLeavesOutWhatIsTooLong: who is present matters more.
func TestHandoverLeavesOutWhatIsTooLong(t *testing.T) {
	for name, content := range map[string]string{
		"too long":              strings.Repeat("x", maxEnds/tailRecords),
		"too long once encoded": strings.Repeat("<", maxEnds/tailRecords-200),
	} {
		t.Run(name, func(t *testing.T) {
			server := serverOn(t, memlog.NewStore().Open())
			ada := login(t, server.opts.Listener.Addr().String(), "ada")
			ada.join("go", nil)
			for i := range tailRecords {
				ada.say(comms.SendMessage{Room: "go", Content: content, ID: fmt.Sprint("i", i)})
				ada.message()
			}
			partition := membership.Partition("go")
			b, err := (*rooms)(server).Stop(t.Context(), partition)
			if err != nil {
				t.Fatal(err)
			}
			defer (*rooms)(server).Resume(partition)
			var h handover
			if err := json.Unmarshal(b, &h); err != nil || len(h.Ends) != 0 || !slices.Equal(h.Rooms["go"], []string{"ada"}) {
				t.Errorf("%v, %d ends, present %v", err, len(h.Ends), h.Rooms)
			}
		})
	}
}

// TestHandoverKeepsEachTheirTime: who is away when the room moves is not given
// the whole grace anew, and who has a session is.
func TestHandoverKeepsEachTheirTime(t *testing.T) {
	log := memlog.NewStore().Open()
	server := serverOn(t, log, func(s *Server) { s.linger = time.Hour })
	addr, partition := server.opts.Listener.Addr().String(), membership.Partition("go")
	login(t, addr, "ada").join("go", nil)
	bob, carol := login(t, addr, "bob"), login(t, addr, "carol")
	bob.join("go", nil)
	carol.join("go", nil)
	p := server.held(partition)
	kept := func(user string) (until time.Time, is bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		until, is = p.grace["go"][user]
		return until, is
	}
	bob.conn.Close()   //nolint:errcheck // as a network does
	carol.conn.Close() //nolint:errcheck // the same
	await(t, "both are away", func() bool {
		_, b := kept("bob")
		_, c := kept("carol")
		return b && c
	})
	soon := time.Now().Add(3 * time.Second)
	p.mu.Lock()
	p.keep("go", "bob", soon)
	p.keep("go", "carol", time.Now().Add(-time.Second)) // nobody has looked since
	p.mu.Unlock()
	b, err := (*rooms)(server).Stop(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	defer (*rooms)(server).Resume(partition)
	next := newPart(server, ownership.Holding{Partition: partition, Epoch: 9, Handover: ownership.NewHandover(b)})
	if late := next.grace["go"]["bob"].Sub(soon); late < -time.Millisecond || late > time.Second {
		t.Errorf("bob is given until %s after %s", late, soon)
	}
	if until := next.grace["go"]["ada"]; time.Until(until) < graceFor/2 {
		t.Errorf("ada is given %s", time.Until(until))
	}
	if next.kept("go", "carol") {
		t.Error("carol is present, whose time was over")
	}
}

// TestRejoinAcrossEpochs: what a client saw under an epoch that the log does not
// have there was lost; the room knows so without reading, and what to do then.
func TestRejoinAcrossEpochs(t *testing.T) {
	log := &counted{Log: memlog.NewStore().Open()}
	server := serverOn(t, log)
	addr, partition := server.opts.Listener.Addr().String(), membership.Partition("go")
	ada := login(t, addr, "ada")
	var newest []comms.Position // of each epoch
	for epoch := range 2 {
		ada.join("go", nil)
		var m comms.UserMessage
		for i := range 3 {
			ada.say(comms.SendMessage{Room: "go", Content: "hi", ID: fmt.Sprintf("i%d-%d", epoch, i)})
			m = ada.message()
		}
		newest = append(newest, comms.Position{Seq: m.Seq, Epoch: m.Epoch})
		if epoch == 0 {
			if err := log.Release(t.Context(), partition, m.Epoch, roomlog.Release{}); err != nil {
				t.Fatal(err)
			}
			server.keeper.Recheck(partition)
			if e, ok := ada.next().(comms.RoomMoved); !ok {
				t.Fatalf("got %+v", e)
			}
		}
	}
	old, now := newest[0], newest[1]
	for _, c := range []struct {
		after comms.Position
		cut   uint64 // 0: none
	}{
		{now, 0},
		{comms.Position{Seq: old.Seq + 1, Epoch: now.Epoch}, 0},
		{old, 0},
		{comms.Position{Seq: old.Seq - 1, Epoch: old.Epoch}, 0},
		{comms.Position{Seq: old.Seq + 1, Epoch: old.Epoch}, old.Seq},
		{comms.Position{Seq: now.Seq, Epoch: old.Epoch}, old.Seq},
	} {
		bob := login(t, addr, "bob")
		reads := log.reads.Load()
		bob.join("go", &c.after)
		behind := c.after.Seq
		if c.cut > 0 {
			behind = c.cut
			if e, ok := bob.next().(comms.HistoryCut); !ok || e.At != c.cut {
				t.Errorf("after %+v: got %+v, want a cut at %d", c.after, e, c.cut)
			}
		} else if n := log.reads.Load() - reads; behind == now.Seq && n > 0 {
			t.Errorf("after %+v: the log was read %d times", c.after, n)
		}
		for seq := behind + 1; seq <= now.Seq; seq++ {
			if m := bob.message(); m.Seq != seq {
				t.Errorf("after %+v: got %d, want %d", c.after, m.Seq, seq)
			}
		}
		bob.say(comms.Quit{})
	}
}
