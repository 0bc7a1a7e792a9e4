package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// history is what the driver saw of one room.
type history struct {
	mu    sync.Mutex
	acked map[uint64]string   // sequence -> author, id
	reads map[string][]string // reader -> author, id, content of each record in order
	sent  map[string][]string // sender -> ids in the order of posting
	slow  time.Duration       // the longest that an acknowledgement took
}

// TestConversationGoesOnThroughFaults runs a conversation over real processes
// through joins, a drain, a kill, a freeze and a router's death, and holds the
// history to the promises: nothing acknowledged lost, nothing doubled, no gap,
// one order for all, every sender's own order. PX_FAULT_ROOMS and
// PX_FAULT_SECONDS make it larger and longer.
func TestConversationGoesOnThroughFaults(t *testing.T) {
	rooms, seconds := setting("PX_FAULT_ROOMS", 8), setting("PX_FAULT_SECONDS", 20)
	if testing.Short() {
		rooms, seconds = 4, 12
	}
	dir := t.TempDir()
	shards := map[string]*process{}
	for _, name := range []string{"s1", "s2", "s3"} {
		shards[name] = startShard(t, dir, name)
	}
	routers := []*process{startRouter(t, dir), startRouter(t, dir)}
	addrs := []string{routers[0].addr("client"), routers[1].addr("client")}

	names := strings.Fields("general go rust music tea help books games food jobs python web databases networks operations security terminal open-source learning outdoors random thanks good-news introductions")[:rooms]
	histories := map[string]*history{}
	talking, stopTalking := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
	defer stopTalking()
	var senders, readers sync.WaitGroup
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	for i, name := range names {
		h := &history{acked: map[uint64]string{}, reads: map[string][]string{}, sent: map[string][]string{}}
		histories[name] = h
		for n := range 2 {
			s := connectTo(t, fmt.Sprintf("r%d-%d", i, n), addrs[n%2], addrs[(n+1)%2])
			readers.Go(func() { readAll(reading, t, s, name, fmt.Sprint("reader ", n), h) })
		}
		for n := range 3 {
			s := connectTo(t, fmt.Sprintf("w%d-%d", i, n), addrs[n%2], addrs[(n+1)%2])
			senders.Go(func() { talk(talking, t, s, name, h) })
		}
	}
	// wait lets a part of the run pass.
	wait := func(parts time.Duration) {
		select {
		case <-time.After(time.Duration(seconds) * time.Second * parts / 20):
		case <-talking.Done():
		}
	}
	wait(2)
	t.Log("join s4")
	shards["s4"] = startShard(t, dir, "s4")
	wait(2)
	t.Log("drain s1")
	if out, errs, code := px("drain", "--router", addrs[0], "--data", dir, "s1"); code != 0 {
		t.Errorf("drain: %s%s", out, errs)
	}
	wait(2)
	t.Log("kill s2")
	shards["s2"].kill()
	wait(2)
	t.Log("join s5")
	shards["s5"] = startShard(t, dir, "s5")
	wait(2)
	t.Log("freeze s3")
	shards["s3"].signal(syscall.SIGSTOP)
	select {
	case <-time.After(4 * time.Second):
	case <-talking.Done():
	}
	shards["s3"].signal(syscall.SIGCONT)
	wait(1)
	t.Log("kill a router")
	routers[0].kill()
	senders.Wait()

	sent, acked := 0, 0
	var slowest time.Duration
	for name, h := range histories {
		all := map[string][]string{}
		deadline := time.After(15 * time.Second)
		reader := connectTo(t, "", addrs[1])
		final := readFinal(t, reader, name)
		for readersDone := false; !readersDone; {
			h.mu.Lock()
			readersDone = true
			for who, reads := range h.reads {
				all[who] = reads
				readersDone = readersDone && len(reads) >= len(final)
			}
			h.mu.Unlock()
			if readersDone {
				break
			}
			select {
			case <-deadline:
				t.Errorf("#%s: readers have %d and %d of %d records", name, len(h.reads["reader 0"]), len(h.reads["reader 1"]), len(final))
				readersDone = true
			case <-time.After(20 * time.Millisecond):
			}
		}
		check(t, name, h, final)
		h.mu.Lock()
		for who, reads := range all {
			for i := range min(len(reads), len(final)) {
				if reads[i] != key(final[i]) {
					t.Errorf("#%s: %s has %q as record %d, the log %q", name, who, reads[i], i+1, key(final[i]))
					break
				}
			}
		}
		acked += len(h.acked)
		for _, ids := range h.sent {
			sent += len(ids)
		}
		slowest = max(slowest, h.slow)
		h.mu.Unlock()
	}
	stopReading()
	readers.Wait()
	moves, forced := 0, 0
	for _, p := range shards {
		moves += strings.Count(p.log(), "msg=acquired")
		forced += strings.Count(p.log(), "ending a process")
	}
	moves -= len(names)
	t.Logf("%d rooms, %d s: %d sent, %d acknowledged, %d partitions moved, %d processes ended by force, slowest acknowledgement %s", rooms, seconds, sent, acked, moves, forced, slowest)
	if sent == 0 || acked != sent || moves <= 0 {
		t.Errorf("sent %d, acknowledged %d, moves %d: all sent must be acknowledged, and rooms must have moved", sent, acked, moves)
	}
	if slowest > 8*time.Second {
		t.Errorf("an acknowledgement took %s", slowest)
	}
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func key(r comms.Record) string { return r.User + " " + r.ID + " " + r.Content }

// talk posts 20 messages a second and room (three senders share them) until
// ctx ends, then waits until all are acknowledged.
func talk(ctx context.Context, t *testing.T, s *client.Session, room string, h *history) {
	if err := s.Join(t.Context(), room, nil); err != nil {
		t.Errorf("join #%s: %v", room, err)
		return
	}
	user := s.User()
	at := map[string]time.Time{}
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	ticks := tick.C
	done := ctx.Done()
	limit := make(<-chan time.Time)
	for n := 0; done != nil || len(at) > 0; {
		select {
		case <-done:
			done, ticks = nil, nil
			limit = time.After(20 * time.Second)
		case <-limit:
			t.Errorf("#%s: %s has %d messages that nobody acknowledged", room, user, len(at))
			return
		case <-ticks:
			n++
			id, err := s.Post(room, fmt.Sprintf("%d %s", n, strings.Repeat("x", rand.IntN(400))))
			if err != nil {
				t.Errorf("post: %v", err)
				return
			}
			at[id] = time.Now()
			h.mu.Lock()
			h.sent[user] = append(h.sent[user], id)
			h.mu.Unlock()
		case e := <-s.Events():
			switch e := e.(type) {
			case client.Message:
				if !e.Mine {
					continue
				}
				h.mu.Lock()
				if old, twice := h.acked[e.Seq]; twice {
					t.Errorf("#%s: sequence %d was acknowledged to %s and to %s", room, e.Seq, old, e.ID)
				}
				h.acked[e.Seq] = e.User + " " + e.ID
				h.slow = max(h.slow, time.Since(at[e.ID]))
				h.mu.Unlock()
				delete(at, e.ID)
			case client.SendFailed:
				t.Errorf("#%s: %s refused for good: %v", room, e.ID, e.Err)
				delete(at, e.ID)
			case client.Cut:
				t.Errorf("#%s: history cut at %d", room, e.At)
			}
		}
	}
}

// readAll follows a room live from its beginning.
func readAll(ctx context.Context, t *testing.T, s *client.Session, room, who string, h *history) {
	go s.Join(ctx, room, &comms.Position{}) //nolint:errcheck // no records come then, which is seen
	want := uint64(1)
	gone := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-s.Events():
			switch e := e.(type) {
			case client.Presence:
				for _, u := range e.Left {
					gone[u] = true
				}
			case client.Message:
				if gone[e.User] {
					t.Errorf("#%s: %s was shown as having left and speaks", room, e.User)
					delete(gone, e.User)
				}
				if e.Seq != want {
					t.Errorf("#%s: %s got %d, want %d", room, who, e.Seq, want)
				}
				want = e.Seq + 1
				h.mu.Lock()
				h.reads[who] = append(h.reads[who], key(e.Record))
				h.mu.Unlock()
			}
		}
	}
}

// readFinal reads a room's whole history through a fresh client.
func readFinal(t *testing.T, s *client.Session, room string) (all []comms.Record) {
	go func() {
		for range s.Events() { //nolint:revive // not needed
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		page, err := s.History(ctx, comms.History{Room: room, From: uint64(len(all)) + 1, Limit: comms.MaxPage})
		if err != nil {
			t.Errorf("history of #%s: %v", room, err)
			return all
		}
		all = append(all, page.Records...)
		if !page.More {
			return all
		}
	}
}

// check holds one room's final history to the promises.
func check(t *testing.T, room string, h *history, final []comms.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	next := map[string]int{}
	var epoch uint64
	for i, r := range final {
		if r.Seq != uint64(i+1) {
			t.Errorf("#%s: record %d has sequence %d", room, i+1, r.Seq)
		}
		if r.Epoch < epoch {
			t.Errorf("#%s: epoch %d follows %d at %d", room, r.Epoch, epoch, r.Seq)
		}
		epoch = r.Epoch
		who := r.User + " " + r.ID
		if seen[who] {
			t.Errorf("#%s: %s is there twice", room, who)
		}
		seen[who] = true
		if ids := h.sent[r.User]; next[r.User] >= len(ids) || ids[next[r.User]] != r.ID {
			t.Errorf("#%s: %s's message %s is out of its sender's order", room, r.User, r.ID)
		}
		next[r.User]++
		if ack, ok := h.acked[r.Seq]; ok && ack != who {
			t.Errorf("#%s: sequence %d was acknowledged as %s and is %s", room, r.Seq, ack, who)
		}
	}
	for seq, who := range h.acked {
		if seq > uint64(len(final)) {
			t.Errorf("#%s: acknowledged %d (%s) is not in the history of %d", room, seq, who, len(final))
		}
	}
}
