package shard

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// slow is a log that does not answer for a room's messages until answer is closed.
type slow struct {
	roomlog.Log
	room          string
	begun, answer chan struct{}
}

func (l *slow) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	if records[0].Kind == roomlog.KindMessage && records[0].Room == l.room {
		select {
		case l.begun <- struct{}{}:
		default:
		}
		<-l.answer
	}
	return l.Log.Append(ctx, partition, epoch, records)
}

// TestWhoSaysMoreThanIsStoredIsReadNoFurther while a log does not answer; others
// are served, and all of it is stored in the end.
func TestWhoSaysMoreThanIsStoredIsReadNoFurther(t *testing.T) {
	log := &slow{Log: memlog.NewStore().Open(), room: "go", begun: make(chan struct{}, 1), answer: make(chan struct{})}
	server := serverOn(t, log)
	addr := server.opts.Listener.Addr().String()
	ada, bob, eve := login(t, addr, "ada"), login(t, addr, "bob"), login(t, addr, "eve")
	ada.join("go", nil)
	bob.join("go", nil)
	eve.join("tea", nil)
	ada.say(comms.SendMessage{Room: "go", ID: "first", Content: "first"})
	<-log.begun
	const n = 1000
	said := make(chan struct{})
	go func() {
		defer close(said)
		for i := range n {
			bob.say(comms.SendMessage{Room: "go", ID: strconv.Itoa(i), Content: strings.Repeat("x", 2000)})
		}
	}()
	await(t, "bob is read no further", func() bool { return goroutinesIn("(*unsettled).wait") == 1 })
	p := server.held(membership.Partition("go"))
	p.mu.Lock()
	bytes := 0
	for _, q := range p.queue {
		bytes += len(q.entry.record.Content)
	}
	p.mu.Unlock()
	if bytes > maxUnsettled+2000 {
		t.Errorf("%d bytes wait", bytes)
	}
	eve.say(comms.SendMessage{Room: "tea", ID: "1", Content: "hello"})
	if m := eve.message(); m.ID != "1" {
		t.Errorf("eve got %+v", m)
	}
	close(log.answer)
	for i := -1; i < n; i++ {
		want := strconv.Itoa(i)
		if i < 0 {
			want = "first"
		}
		if m := ada.message(); m.ID != want {
			t.Fatalf("ada got %s, want %s", m.ID, want)
		}
	}
	<-said
	await(t, "nothing waits", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		for s := range server.sessions {
			if s.unsettled.bytes.Load() != 0 {
				return false
			}
		}
		return true
	})
}

// TestUnsettledIsCountedWhateverBecomesOfIt: refused, taken over by another
// connection, sent elsewhere.
func TestUnsettledIsCountedWhateverBecomesOfIt(t *testing.T) {
	log := &stuck{Log: memlog.NewStore().Open(), begun: make(chan struct{}, 2), refuse: make(chan struct{})}
	server := serverOn(t, log)
	addr := server.opts.Listener.Addr().String()
	first, second := login(t, addr, "ada"), login(t, addr, "ada")
	first.join("go", nil)
	log.stuck.Store(true)
	one := comms.SendMessage{Room: "go", ID: "1", Content: "one"}
	first.say(one)
	<-log.begun
	second.join("go", nil)
	again := one
	again.Again = true
	second.say(again, comms.SendMessage{Room: "go", ID: "2", Content: "two"}, comms.Ping{N: 7})
	for pong := false; !pong; {
		_, pong = second.next().(comms.PongEvent)
	}
	counts := func() (list []int64) {
		server.mu.Lock()
		defer server.mu.Unlock()
		for s := range server.sessions {
			list = append(list, s.unsettled.bytes.Load())
		}
		return list
	}
	if c := counts(); len(c) != 2 || c[0]+c[1] != 2*(pendingSize+4) || min(c[0], c[1]) != 0 {
		t.Errorf("two messages wait, both the second connection's: %d", c)
	}
	close(log.refuse)
	for range 2 {
		if e, refused := second.next().(comms.Error); !refused {
			t.Errorf("got %+v", e)
		}
	}
	if c := counts(); c[0] != 0 || c[1] != 0 {
		t.Errorf("nothing waits: %d", c)
	}
}
