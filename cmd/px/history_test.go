package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// history is what the driver saw of one room.
type history struct {
	mu      sync.Mutex
	acked   map[uint64]string   // sequence -> author, id
	reads   map[string][]string // reader -> author, id, content of each record in order
	sent    map[string][]string // sender -> ids in the order of posting
	samples []sample            // of acknowledged messages
	moves   []time.Time         // when the room was served by another shard than before
}

// sample is one acknowledged message.
type sample struct {
	intended time.Time // when it was to be sent
	took     time.Duration
}

func newHistory() *history {
	return &history{acked: map[uint64]string{}, reads: map[string][]string{}, sent: map[string][]string{}}
}

func key(r comms.Record) string { return r.User + " " + r.ID + " " + r.Content }

// A room's senders share 20 messages a second evenly, in open loop: what is
// late is counted from when it was due.
const (
	sendersOfRoom = 3
	sendEvery     = time.Second * sendersOfRoom / 20
)

// talk is one of a room's senders: it posts on its beat until ctx ends, then
// waits until all is acknowledged. The first sender notes the room's moves.
func talk(ctx context.Context, t testing.TB, s *client.Session, room string, sender int, h *history) {
	if err := s.Join(t.Context(), room, nil); err != nil {
		t.Errorf("join #%s: %v", room, err)
		return
	}
	user, shard := s.User(), ""
	intended := map[string]time.Time{}
	due := time.Now().Add(sendEvery * time.Duration(sender) / sendersOfRoom)
	beat := time.NewTimer(time.Until(due))
	defer beat.Stop()
	done := ctx.Done()
	limit := make(<-chan time.Time)
	for n := 0; done != nil || len(intended) > 0; {
		select {
		case <-done:
			done = nil
			limit = time.After(20 * time.Second)
		case <-limit:
			t.Errorf("#%s: %s has %d messages that nobody acknowledged", room, user, len(intended))
			return
		case <-beat.C:
			if done == nil {
				continue
			}
			n++
			id, err := s.Post(room, fmt.Sprintf("%d %s", n, strings.Repeat("x", rand.IntN(400))))
			if err != nil {
				t.Errorf("post: %v", err)
				return
			}
			intended[id] = due
			h.mu.Lock()
			h.sent[user] = append(h.sent[user], id)
			h.mu.Unlock()
			due = due.Add(sendEvery)
			beat.Reset(time.Until(due))
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
				h.samples = append(h.samples, sample{intended[e.ID], time.Since(intended[e.ID])})
				h.mu.Unlock()
				delete(intended, e.ID)
			case client.RoomLink:
				if e.State != client.LinkUp || sender != 0 {
					continue
				}
				if shard != "" && shard != e.Shard {
					h.mu.Lock()
					h.moves = append(h.moves, time.Now())
					h.mu.Unlock()
				}
				shard = e.Shard
			case client.SendFailed:
				t.Errorf("#%s: %s refused for good: %v", room, e.ID, e.Err)
				delete(intended, e.ID)
			case client.Cut:
				t.Errorf("#%s: history cut at %d", room, e.At)
			}
		}
	}
}

// readAll follows a room live from its beginning until ctx ends.
func readAll(ctx context.Context, t testing.TB, s *client.Session, room, who string, h *history) {
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		s.Join(ctx, room, &comms.Position{}) //nolint:errcheck // no records come then, which is seen
	}()
	defer func() { <-joined }()
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
				for _, u := range e.Joined {
					delete(gone, u) // kept away for longer than the grace
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
func readFinal(t testing.TB, s *client.Session, room string) (all []comms.Record) {
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

// awaitReaders waits until all readers have as many records as the history.
func awaitReaders(t testing.TB, room string, h *history, readers, records int) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		h.mu.Lock()
		done := 0
		for _, reads := range h.reads {
			if len(reads) >= records {
				done++
			}
		}
		h.mu.Unlock()
		if done == readers {
			return
		}
		select {
		case <-deadline:
			t.Errorf("#%s: only %d of %d readers have all %d records", room, done, readers, records)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// check holds one room's final history to the promises.
func check(t testing.TB, room string, h *history, final []comms.Record) {
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
			t.Errorf("#%s: %s's message %s is out of its sender's order, at %d of epoch %d", room, r.User, r.ID, r.Seq, r.Epoch)
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
	for who, reads := range h.reads {
		for i := range min(len(reads), len(final)) {
			if reads[i] != key(final[i]) {
				t.Errorf("#%s: %s has %q as record %d, the log %q", room, who, reads[i], i+1, key(final[i]))
				break
			}
		}
	}
}
