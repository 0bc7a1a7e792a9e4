package shard

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// searched is a log whose reads of records wait while it is held.
type searched struct {
	roomlog.Log
	held  atomic.Bool
	begun chan struct{}
	goOn  chan struct{}
}

func (l *searched) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	if l.held.Load() {
		l.begun <- struct{}{}
		<-l.goOn
	}
	return l.Log.Read(ctx, partition, room, from, limit, maxBytes)
}

// TestWhatFollowsAMessageThatIsLookedFor: one older than the window is looked for
// for its sender's former connection when the present one repeats it, and is
// refused for now. What follows it must be taken once it is known to be stored,
// whether or not the present connection has repeated it until then.
func TestWhatFollowsAMessageThatIsLookedFor(t *testing.T) {
	for name, c := range map[string]struct {
		id, content string
		comesAgain  bool
		conflict    bool
	}{
		"found, and it comes again":          {"old", "old", true, false},
		"found, and known from the room":     {"old", "old", false, false},
		"found with other content":           {"old", "other", true, true},
		"not there, and it comes again":      {"new", "new", true, false},
		"not there, and known from the room": {"new", "new", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			log := &searched{Log: memlog.NewStore().Open(), begun: make(chan struct{}, 1), goOn: make(chan struct{})}
			addr := serveOn(t, log)
			first, second := login(t, addr, "ada"), login(t, addr, "ada")
			first.join("go", nil)
			first.say(comms.SendMessage{Room: "go", ID: "old", Content: "old"})
			first.message()
			for i := range windowSize + 1 {
				first.say(comms.SendMessage{Room: "go", ID: fmt.Sprint("n", i), Content: "x"})
				first.message()
			}
			second.join("go", nil)
			repeat := comms.SendMessage{Room: "go", ID: c.id, Content: c.content, Again: true}
			log.held.Store(true)
			first.say(repeat)
			<-log.begun
			second.say(repeat)
			second.refused(comms.CodePending)
			log.held.Store(false)
			log.goOn <- struct{}{}
			answer := func(who *talker) {
				t.Helper()
				if c.conflict {
					who.refused(comms.CodeConflict)
				} else if m := who.message(); m.ID != c.id {
					t.Fatalf("the answer is %+v", m)
				}
			}
			answer(first)
			if c.id == "new" {
				answer(second) // from the room
			}
			if c.comesAgain {
				second.say(repeat)
				answer(second)
			}
			second.say(comms.SendMessage{Room: "go", ID: "after", Content: "after"})
			if m := second.message(); m.ID != "after" {
				t.Errorf("what follows was answered with %+v", m)
			}
		})
	}
}

// forgetful is a log that keeps no long texts.
type forgetful struct{ roomlog.Log }

func (l forgetful) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	kept := slices.Clone(records)
	for i := range kept {
		kept[i].ID, kept[i].Content = strings.Clone(kept[i].ID), "x"
	}
	return l.Log.Append(ctx, partition, epoch, kept)
}

// TestLongTextsAreNotKept: what tells a repeat of an old message from another
// with its id is a hash; the answer has the text all the same.
func TestLongTextsAreNotKept(t *testing.T) {
	server := serverOn(t, forgetful{memlog.NewStore().Open()})
	ada := login(t, server.opts.Listener.Addr().String(), "ada")
	ada.join("go", nil)
	const messages, size = 1000, 16 << 10
	text := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), size) }
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	for i := range messages {
		ada.say(comms.SendMessage{Room: "go", Content: text(i), ID: fmt.Sprint("m", i)})
		ada.message()
	}
	// The newest tailRecords, the ring's megabyte, and as much for all else.
	if grown := heap() - before; grown > tailRecords*size+4<<20 {
		t.Errorf("%d messages of %d bytes take %d KiB", messages, size, grown>>10)
	}
	for _, i := range []int{0, messages - 1} {
		ada.say(comms.SendMessage{Room: "go", Content: text(i), ID: fmt.Sprint("m", i)})
		if m := ada.message(); m.Seq != uint64(i+1) || m.Content != text(i) {
			t.Errorf("a repeat of message %d is answered with %d, %d bytes", i+1, m.Seq, len(m.Content))
		}
		ada.say(comms.SendMessage{Room: "go", Content: text(i + 1), ID: fmt.Sprint("m", i)})
		ada.refused(comms.CodeConflict)
	}
}
