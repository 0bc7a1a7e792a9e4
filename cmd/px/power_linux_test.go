package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// witness follows a room from its beginning and writes in it, and keeps what it
// saw before each cut.
type witness struct {
	session *client.Session
	room    string

	mu    sync.Mutex
	saw   map[uint64]comms.Record // as of now: what a cut took away is not in it
	last  uint64
	lost  map[uint64]comms.Record // what cuts took away
	cuts  []uint64
	acked int
	wrong []string
}

func newWitness(t testing.TB, c *powered, room, user string) *witness {
	t.Helper()
	w := &witness{session: connectTo(t, user, c.router), room: room, saw: map[uint64]comms.Record{}, lost: map[uint64]comms.Record{}}
	go func() {
		for e := range w.session.Events() {
			w.take(e)
		}
	}()
	if err := w.session.Join(t.Context(), room, &comms.Position{}); err != nil {
		t.Fatalf("#%s: %v", room, err)
	}
	return w
}

func (w *witness) take(e client.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := e.(type) {
	case client.Message:
		if e.Seq != w.last+1 {
			w.wrong = append(w.wrong, fmt.Sprintf("%d follows %d", e.Seq, w.last))
		}
		w.last = e.Seq
		w.saw[e.Seq] = e.Record
		if e.Mine {
			w.acked++
		}
	case client.Cut:
		if e.At >= w.last {
			w.wrong = append(w.wrong, fmt.Sprintf("history_cut at %d after %d", e.At, w.last))
		}
		w.cuts = append(w.cuts, e.At)
		for ; w.last > e.At; w.last-- {
			w.lost[w.last] = w.saw[w.last]
			delete(w.saw, w.last)
		}
	case client.Left:
		w.wrong = append(w.wrong, "the room is left")
	case client.SendFailed:
		w.wrong = append(w.wrong, fmt.Sprintf("%s refused for good: %v", e.ID, e.Err))
	}
}

// write posts as fast as acknowledgements come, a few at a time, until stop is closed.
func (w *witness) write(t testing.TB, stop <-chan struct{}) {
	for n := 0; ; {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Millisecond):
		}
		if len(w.session.Unacknowledged()) < 8 {
			n++
			if _, err := w.session.Post(w.room, fmt.Sprintf("%d %s", n, strings.Repeat("x", n%300))); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// awaitQuiet waits until the witness has everything acknowledged and has read up to the head.
func (w *witness) awaitQuiet(t testing.TB, head uint64) {
	t.Helper()
	await(t, "end of #"+w.room, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.last == head
	})
}

// cutUnderLoad has people talk in some rooms, one of them made by hand, cuts the
// power under them, lets them go on, and returns what they saw.
func cutUnderLoad(t *testing.T, c *powered, talkFor time.Duration) map[string][]*witness {
	t.Helper()
	rooms := append(roomNames(5), "made")
	if _, errs, code := px("create", "--router", c.router, "made"); code != 0 && !strings.Contains(errs, "exists") {
		t.Fatal(errs)
	}
	all := map[string][]*witness{}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for _, room := range rooms {
		for i := range 2 {
			w := newWitness(t, c, room, fmt.Sprintf("%s%d", room[:2], i))
			all[room] = append(all[room], w)
			writing.Go(func() { w.write(t, stop) })
		}
	}
	pass(t.Context(), talkFor)
	c.again()
	lost := time.Now()
	for _, room := range rooms {
		sender := connectTo(t, "later", c.router)
		drainEvents(sender)
		if err := sender.Join(t.Context(), room, nil); err != nil {
			t.Fatalf("#%s: %v", room, err)
		}
		if _, err := sender.Send(t.Context(), room, "after the cut"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("all rooms are written again %s after all was started again", time.Since(lost))
	pass(t.Context(), time.Second)
	close(stop)
	writing.Wait()
	for _, room := range rooms {
		for _, w := range all[room] {
			await(t, "acknowledgement of all in #"+room, func() bool { return len(w.session.Unacknowledged()) == 0 })
		}
	}
	return all
}

// checkWitnesses holds what people saw of a room to its history now, and
// returns how many records were lost that somebody had seen.
func checkWitnesses(t *testing.T, c *powered, room string, all []*witness) (lost int) {
	t.Helper()
	final := readFinal(t, connectTo(t, "", c.router), room)
	ids := map[string]bool{}
	for i, r := range final {
		if r.Seq != uint64(i+1) {
			t.Fatalf("#%s: record %d has sequence %d", room, i+1, r.Seq)
		}
		if i > 0 && r.Epoch < final[i-1].Epoch {
			t.Errorf("#%s: epoch %d follows %d at %d", room, r.Epoch, final[i-1].Epoch, r.Seq)
		}
		if who := r.User + " " + r.ID; ids[who] {
			t.Errorf("#%s: %s is there twice", room, who)
		} else {
			ids[who] = true
		}
	}
	for i, w := range all {
		w.awaitQuiet(t, uint64(len(final)))
		w.mu.Lock()
		for _, wrong := range w.wrong {
			t.Errorf("#%s, witness %d: %s", room, i, wrong)
		}
		for seq, saw := range w.saw {
			if final[seq-1] != saw {
				t.Errorf("#%s, witness %d: saw %+v at %d, the history has %+v", room, i, saw, seq, final[seq-1])
			}
		}
		for seq, saw := range w.lost {
			// A hole would be a record that is still there though it was said to be lost.
			if seq <= uint64(len(final)) && final[seq-1] == saw {
				t.Errorf("#%s, witness %d: %d was said to be lost and is there", room, i, seq)
			}
		}
		lost = max(lost, len(w.lost))
		w.mu.Unlock()
	}
	return lost
}

// TestPowerCutWithSyncFull cuts the power under load, twice: with --sync full
// nothing that was acknowledged, or shown to anybody, may be lost.
func TestPowerCutWithSyncFull(t *testing.T) {
	c := newPowered(t, "full")
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		seen := 0
		for room, witnesses := range cutUnderLoad(t, c, 1500*time.Millisecond) {
			if lost := checkWitnesses(t, c, room, witnesses); lost > 0 {
				t.Errorf("#%s: %d records lost", room, lost)
			}
			for _, w := range witnesses {
				seen += w.acked
				w.session.Close() //nolint:errcheck // never fails
			}
		}
		t.Logf("%d acknowledged, none lost", seen)
		if seen == 0 {
			t.Error("a run without messages shows nothing")
		}
	}
	t.Logf("%d epochs issued, none twice", c.issued())
}

// TestPowerCutWithoutSync cuts the power under load where appends are not
// synced: what is lost is each room's end, and all who had seen it are told.
func TestPowerCutWithoutSync(t *testing.T) {
	c := newPowered(t, "normal")
	lost, seen := 0, 0
	for round := 0; lost == 0 && round < 4; round++ {
		for room, witnesses := range cutUnderLoad(t, c, 1500*time.Millisecond) {
			lost += checkWitnesses(t, c, room, witnesses)
			for _, w := range witnesses {
				seen += w.acked
				if len(w.lost) > 0 && len(w.cuts) != 1 {
					t.Errorf("#%s: %d cuts were told, want 1", room, len(w.cuts))
				}
				w.session.Close() //nolint:errcheck // never fails
			}
		}
	}
	t.Logf("%d acknowledged, %d lost at the ends of their rooms, %d epochs issued, none twice", seen, lost, c.issued())
	if lost == 0 {
		t.Error("nothing was lost: a run without a loss shows nothing")
	}
}

// TestPowerCutOfAJetStreamServer cuts the power of the machine with the NATS
// server, while shards and clients elsewhere live on: with sync_interval: always,
// which --sync full demands, nothing acknowledged or shown is lost.
func TestPowerCutOfAJetStreamServer(t *testing.T) {
	d := newDisk(t)
	dir := filepath.Join(d.dir, "nats")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	server := natstest.Start(t, natstest.Config{Dir: dir, SyncAlways: true})
	a := newApart(t, server.URL())
	c := &powered{disk: d, again: func() {
		server.Kill()
		d.cut()
		server.Start(t)
	}}
	for _, name := range []string{"s1", "s2"} {
		c.all = append(c.all, a.start("shard", "--name", name, "--sync", "full", "--nats-monitor", server.MonitorURL()))
	}
	c.router = a.router()
	seen := 0
	for room, witnesses := range cutUnderLoad(t, c, 1500*time.Millisecond) {
		if lost := checkWitnesses(t, c, room, witnesses); lost > 0 {
			t.Errorf("#%s: %d records lost", room, lost)
		}
		for _, w := range witnesses {
			seen += w.acked
			w.session.Close() //nolint:errcheck // never fails
		}
	}
	t.Logf("%d acknowledged, none lost; %d epochs issued, none twice", seen, c.issued())
	if seen == 0 {
		t.Error("a run without messages shows nothing")
	}
}

// TestPowerCutAfterAnExport: what px said is exported is there, under its name.
func TestPowerCutAfterAnExport(t *testing.T) {
	c := newPowered(t, "full")
	if _, errs, code := px("send", "--router", c.router, "--room", "general", "kept"); code != 0 {
		t.Fatal(errs)
	}
	file := filepath.Join(c.disk.dir, "rooms.jsonl")
	_, errs, code := px("export", "--data", filepath.Join(c.disk.dir, "data"), file)
	if code != 0 {
		t.Fatal(errs)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.lose()
	if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
		t.Errorf("of %d exported bytes the power cut left %d, %v", len(want), len(got), err)
	}
}

// TestPowerCutSeenInATerminal shows messages to two people that are then lost.
// One client is there all the time; the other is ended in the dark, so that it
// has them on its disk, and comes back when the room has gone on. Both must draw
// where the store lost its end, and show nothing that is not in the store.
func TestPowerCutSeenInATerminal(t *testing.T) {
	c := newPowered(t, "normal")
	open := func(term *terminal) *pane {
		return term.client("px", 80, 30, "--router", c.router, "--user", "bob", "--room", "general")
	}
	stays, goes := open(newTerminal(t)), newTerminal(t)
	stays.seeText("nobody has said anything yet") // before eve's coming is told
	away := goes.client("px", 80, 30, "--router", c.router, "--user", "eve", "--room", "general")
	for _, w := range []*pane{stays, away} {
		w.seeText("2 here")
	}
	s := connectTo(t, "ada", c.router)
	drainEvents(s)
	if err := s.Join(t.Context(), "general", nil); err != nil {
		t.Fatal(err)
	}
	send := func(texts ...string) {
		for _, text := range texts {
			if _, err := s.Send(t.Context(), "general", text); err != nil {
				t.Fatal(err)
			}
		}
	}
	for round := range 5 {
		kept, lost, later := fmt.Sprint("kept ", round), fmt.Sprint("lost ", round), fmt.Sprint("later ", round)
		send(kept)
		await(t, "checkpoint", func() bool { return checkpointed(t, filepath.Join(c.disk.dir, "data"), kept) })
		send(lost, lost+" too")
		for _, p := range c.all[:3] {
			p.signal(syscall.SIGSTOP) // no checkpoint after that
		}
		for _, w := range []*pane{stays, away} {
			w.seeText(lost + " too")
		}
		c.lose()
		away.end(syscall.SIGTERM)
		c.start()
		send(later, later+" too", later+" as well")
		for _, text := range storedTexts(t, c.router, "general", 4*round+3) {
			if text == lost {
				lost = "" // the checkpoint came in between: once more
			}
		}
		away = goes.client("px", 80, 30, "--router", c.router, "--user", "eve", "--room", "general")
		if lost == "" {
			continue
		}
		for _, w := range []*pane{stays, away} {
			screen := w.see("break", func(screen string) bool {
				return strings.Contains(screen, "the store lost its end behind #") && strings.Contains(screen, later+" as well")
			})
			if strings.Contains(screen, lost) || !strings.Contains(screen, kept) {
				t.Errorf("the screen shows what the store has not, or not what it has:\n%s", screen)
			}
		}
		return
	}
	t.Error("nothing was lost: a run without a loss shows nothing")
}

// checkpointed tells whether a text is in a partition's file proper: what is
// there was synced.
func checkpointed(t *testing.T, data, text string) bool {
	files, err := filepath.Glob(filepath.Join(data, "partitions", "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		b, err := os.ReadFile(file)
		return err == nil && bytes.Contains(b, []byte(text))
	})
}
