package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestServerAndShardKilledAtOnce loses, under load, one of three NATS servers
// and one of three shards at the same moment, as when a machine loses its
// power: nothing acknowledged may be lost, doubled or out of order, and all
// rooms go on. PX_FAULT_NATS=3 asks for it; PX_FAULT_ROOMS and
// PX_FAULT_SECONDS make it larger.
func TestServerAndShardKilledAtOnce(t *testing.T) {
	servers := setting("PX_FAULT_NATS", 0)
	if servers < 3 {
		t.Skip("three NATS servers and as many shards want more than a moment: PX_FAULT_NATS=3 asks for it")
	}
	rooms, seconds := setting("PX_FAULT_ROOMS", 8), setting("PX_FAULT_SECONDS", 25)
	nats := natstest.StartCluster(t, servers)
	a := newApart(t, natstest.URLs(nats))
	var shards []*process
	for i := range servers {
		shards = append(shards, a.start("shard", "--name", fmt.Sprint("s", i+1)))
	}
	addrs := []string{a.router(), a.router()}

	histories := map[string]*history{}
	talking, stopTalking := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
	defer stopTalking()
	reading, stopReading := context.WithCancel(t.Context())
	var senders, readers sync.WaitGroup
	defer readers.Wait()
	defer stopReading()
	for i, name := range roomNames(rooms) {
		h := newHistory()
		histories[name] = h
		reader := connectTo(t, fmt.Sprint("r", i), addrs[i%2], addrs[(i+1)%2])
		readers.Go(func() { readAll(reading, t, reader, name, "reader", h) })
		for n := range sendersOfRoom {
			s := connectTo(t, fmt.Sprintf("w%d-%d", i, n), addrs[n%2], addrs[(n+1)%2])
			senders.Go(func() { talk(talking, t, s, name, n, h) })
		}
	}
	elections := natstest.WatchElections(t, nats)
	pass(talking, time.Duration(seconds)*time.Second/4)
	victim := slices.MaxFunc(nats, func(a, b *natstest.Server) int { return a.Leads(t) - b.Leads(t) })
	leads := victim.Leads(t)
	served := map[string]string{}
	asks := connectTo(t, "", addrs...)
	for name := range histories {
		at, err := asks.Where(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		served[name] = at.Shard
	}
	lost := time.Now()
	victim.Kill()
	shards[0].kill()
	senders.Wait()

	sent, acked := 0, 0
	elected := elections.Since(lost)
	var pauses, ours []time.Duration
	for name, h := range histories {
		final := readFinal(t, connectTo(t, "", addrs...), name)
		awaitReaders(t, name, h, 1, len(final))
		check(t, name, h, final)
		h.mu.Lock()
		acked += len(h.acked)
		for _, ids := range h.sent {
			sent += len(ids)
		}
		pause := worst(h.samples, lost) - baseline(h.samples, []time.Time{lost}, 15*time.Second)
		h.mu.Unlock()
		// Rooms of the killed shard wait for the roll besides: who is gone is read there.
		stream := fmt.Sprint("px-records-", membership.Partition(name)%8)
		election := elected[stream]
		if served[name] == "s1" {
			election = max(election, elected["px-roll"])
		}
		pauses = append(pauses, pause)
		ours = append(ours, max(0, pause-election))
		t.Logf("#%s of %s on %s: pause %s, of it %s until a leader was elected", name, served[name], stream, pause.Round(time.Millisecond), election.Round(time.Millisecond))
	}
	stopReading()
	t.Logf("the server led %d streams of 9; elected after %v", leads, elected)
	if leads == 0 {
		t.Error("a server that led nothing was killed")
	}
	if len(elected) == 0 {
		t.Error("no leader was elected while people talked")
	}
	t.Logf("%d rooms: %d sent, %d acknowledged; pauses of the rooms p50 %s, p99 %s; without the elections p50 %s, p99 %s", rooms, sent, acked,
		percentile(pauses, 0.5), percentile(pauses, 0.99), percentile(ours, 0.5), percentile(ours, 0.99))
	if sent == 0 || acked != sent {
		t.Errorf("sent %d, acknowledged %d: all sent must be acknowledged", sent, acked)
	}
	// An election of a stream's leader takes 4 to 9 s.
	if most := percentile(pauses, 1); most > 15*time.Second {
		t.Errorf("a room paused for %s", most)
	}
}
