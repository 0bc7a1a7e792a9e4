package shard

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// away is a log that can be reached or not.
type away struct {
	roomlog.Log
	away      atomic.Bool
	headsAway atomic.Bool
}

func (l *away) Beat(ctx context.Context, boot string, wants []int) ([]roomlog.Entry, error) {
	if l.away.Load() {
		return nil, roomlog.ErrRefused
	}
	return l.Log.Beat(ctx, boot, wants)
}

func (l *away) Owner(ctx context.Context, partition int) (roomlog.Owner, error) {
	if l.away.Load() {
		return roomlog.Owner{}, roomlog.ErrRefused
	}
	return l.Log.Owner(ctx, partition)
}

// Head finds the rooms of the rooms file when a partition is opened.
func (l *away) Head(ctx context.Context, partition int, room string) (roomlog.Position, roomlog.RoomInfo, error) {
	if l.headsAway.Load() {
		return roomlog.Position{}, roomlog.RoomInfo{}, roomlog.ErrRefused
	}
	return l.Log.Head(ctx, partition, room)
}

// TestWhatFollowsARefusalWaitsForIt though the refused message was not even
// queued, since its partition's owner could not make sure that it is still that.
func TestWhatFollowsARefusalWaitsForIt(t *testing.T) {
	log := &away{Log: memlog.NewStore().Open()}
	c := login(t, serveOn(t, log), "ada")
	c.join("go", nil)
	log.away.Store(true)
	say := func(id string) comms.Event {
		c.say(comms.SendMessage{Room: "go", ID: id, Content: id})
		return c.next()
	}
	refusedID := ""
	for deadline := time.Now().Add(10 * time.Second); refusedID == ""; {
		if time.Now().After(deadline) {
			t.Fatal("it answers without its log")
		}
		id := "m" + time.Now().Format("150405.000000000")
		if _, refused := say(id).(comms.Error); refused {
			refusedID = id
		}
	}
	log.away.Store(false)
	if e, refused := say("after").(comms.Error); !refused || e.Code != comms.CodeOutOfOrder {
		t.Errorf("what follows it: %+v, want %s", e, comms.CodeOutOfOrder)
	}
	for _, id := range []string{refusedID, "after"} {
		if m, stored := say(id).(comms.UserMessage); !stored || m.ID != id {
			t.Errorf("%s again: %+v", id, m)
		}
	}
}

// stuck is a log whose appends of messages wait, and then fail, while it is stuck.
type stuck struct {
	roomlog.Log
	stuck  atomic.Bool
	begun  chan struct{}
	refuse chan struct{}
}

func (l *stuck) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	if records[0].Kind == roomlog.KindMessage && l.stuck.Load() {
		l.begun <- struct{}{}
		<-l.refuse
		return roomlog.ErrRefused
	}
	return l.Log.Append(ctx, partition, epoch, records)
}

// TestRefusalReachesTheNextConnection: while a message is being stored its
// sender comes by another connection and repeats it, and sends the next one.
func TestRefusalReachesTheNextConnection(t *testing.T) {
	log := &stuck{Log: memlog.NewStore().Open(), begun: make(chan struct{}, 2), refuse: make(chan struct{})}
	addr := serveOn(t, log)
	first, second := login(t, addr, "ada"), login(t, addr, "ada")
	first.join("go", nil)
	log.stuck.Store(true)
	one, two := comms.SendMessage{Room: "go", ID: "1", Content: "one"}, comms.SendMessage{Room: "go", ID: "2", Content: "two"}
	first.say(one)
	<-log.begun
	second.join("go", nil)
	again := one
	again.Again = true
	second.say(again, two, comms.Ping{N: 7})
	for pong := false; !pong; { // all of it has been read
		_, pong = second.next().(comms.PongEvent)
	}
	log.stuck.Store(false)
	close(log.refuse)
	for _, want := range []struct{ id, code string }{{"1", comms.CodeStorage}, {"2", comms.CodeOutOfOrder}} {
		if e, refused := second.next().(comms.Error); !refused || e.ID != want.id || e.Code != want.code {
			t.Errorf("got %+v, want %s for %s", e, want.code, want.id)
		}
	}
	second.say(again, two)
	if a, b := second.message(), second.message(); a.ID != "1" || b.ID != "2" {
		t.Errorf("stored %s as %d and %s as %d", a.ID, a.Seq, b.ID, b.Seq)
	}
}

// TestWhatFollowsAPendingMessageWaitsForIt: an earlier connection's repeat is
// still being looked for in the log when the next connection repeats it, too.
func TestWhatFollowsAPendingMessageWaitsForIt(t *testing.T) {
	s := New(Options{})
	p := newPart(s, ownership.Holding{Partition: 1, Epoch: 1})
	r := &room{part: p, name: "go", low: 10, members: map[*session]*seat{}, window: map[dedupKey]*seen{}}
	var sessions []*session
	for range 2 {
		near, far := net.Pipe()
		t.Cleanup(func() { far.Close(); near.Close() }) //nolint:errcheck // never fails
		sess := &session{server: s, user: "ada", joined: map[string]*part{"go": p}}
		sess.out = s.pool.NewOutlet(near, func(error) {})
		r.members[sess] = &seat{}
		sessions = append(sessions, sess)
	}
	first, second := sessions[0], sessions[1]
	say := func(sess *session, id string, again bool) bool {
		p.mu.Lock()
		return p.sequence(sess, r, roomlog.Record{Room: "go", User: "ada", ID: id, Content: id}, again, 1, false)
	}
	if say(first, "1", true) {
		t.Fatal("a repeat older than the window was not to be looked for")
	}
	say(second, "1", true)
	say(second, "2", false)
	if len(p.queue) != 0 {
		t.Errorf("%q was queued while the one before it is being looked for", p.queue[0].entry.record.ID)
	}
}
