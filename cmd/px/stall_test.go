package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/client"
)

// BenchmarkStalledReader lets 2,500 messages a second pass through a room while
// one of its readers reads nothing for 20 s. The others' latency is compared
// with that of the 5 s before; the stalled one must get all of it afterwards,
// in order; the shard's memory is reported.
func BenchmarkStalledReader(b *testing.B) {
	const (
		senders, readers = 5, 10
		every            = 2 * time.Millisecond // and sender
		before           = 12_500               // messages until the stall
		total            = before + 50_000
	)
	dir := b.TempDir()
	shard := startShard(b, dir, "s1")
	router := startRouter(b, dir).addr("client")
	if err := connectTo(b, "", router).Join(b.Context(), "go", nil); err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	var early, late []time.Duration
	var reading sync.WaitGroup
	for i := range readers {
		s := connectTo(b, fmt.Sprint("reader", i), router)
		if err := s.Join(b.Context(), "go", nil); err != nil {
			b.Fatal(err)
		}
		reading.Go(func() {
			var mine [2][]time.Duration
			readSequence(b, s, total, func(m client.Message) {
				due, err := strconv.ParseInt(strings.TrimSpace(m.Content), 10, 64)
				if err != nil {
					b.Error(err)
				}
				which := 0
				if m.Seq > before {
					which = 1
				}
				mine[which] = append(mine[which], time.Since(time.Unix(0, due)))
			})
			mu.Lock()
			defer mu.Unlock()
			early, late = append(early, mine[0]...), append(late, mine[1]...)
		})
	}
	stalled := connectTo(b, "stalled", router)
	if err := stalled.Join(b.Context(), "go", nil); err != nil {
		b.Fatal(err)
	}
	stalls := make(chan struct{})
	go func() {
		defer close(stalls)
		readSequence(b, stalled, before, func(client.Message) {})
	}()
	calm := residentMiB(b, shard)
	b.ResetTimer()
	var posting sync.WaitGroup
	for i := range senders {
		s := connectTo(b, fmt.Sprint("sender", i), router)
		if err := s.Join(b.Context(), "go", nil); err != nil {
			b.Fatal(err)
		}
		drainEvents(s)
		posting.Go(func() {
			due := time.Now()
			for range total / senders {
				due = due.Add(every)
				pass(b.Context(), time.Until(due))
				if _, err := s.Post("go", fmt.Sprintf("%-21d", due.UnixNano())); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	<-stalls
	steady, peak := residentMiB(b, shard), 0.0
	watching, stopWatching := context.WithCancel(b.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		for watching.Err() == nil {
			peak = max(peak, residentMiB(b, shard))
			pass(watching, 100*time.Millisecond)
		}
	})
	posting.Wait()
	reading.Wait()
	woken := time.Now()
	readFrom(b, stalled, before+1, total)
	caughtUp := time.Since(woken)
	stopWatching()
	watch.Wait()
	b.StopTimer()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(percentile(early, 0.99)), "p99-before-ms")
	b.ReportMetric(ms(percentile(late, 0.99)), "p99-stalled-ms")
	b.ReportMetric(ms(caughtUp), "catch-up-ms")
	b.ReportMetric(calm, "empty-MiB")
	b.ReportMetric(steady, "before-MiB")
	b.ReportMetric(peak, "peak-MiB")
	b.ReportMetric(0, "ns/op")
}

// readSequence reads records 1 to last, which must come in order.
func readSequence(t testing.TB, s *client.Session, last uint64, each func(client.Message)) {
	next := uint64(1)
	for e := range s.Events() {
		m, ok := e.(client.Message)
		if !ok {
			continue
		}
		if m.Seq != next {
			t.Errorf("got %d, want %d", m.Seq, next)
			return
		}
		each(m)
		if next++; next > last {
			return
		}
	}
}

// readFrom goes on reading in order from next to last.
func readFrom(t testing.TB, s *client.Session, next, last uint64) {
	t.Helper()
	for deadline := time.After(60 * time.Second); next <= last; {
		select {
		case e := <-s.Events():
			m, ok := e.(client.Message)
			if !ok {
				continue
			}
			if m.Seq != next {
				t.Fatalf("the stalled reader got %d, want %d", m.Seq, next)
			}
			next++
		case <-deadline:
			t.Fatalf("the stalled reader has nothing after %d", next-1)
		}
	}
}

// residentMiB is a process's resident memory.
func residentMiB(t testing.TB, p *process) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	kib, err := strconv.ParseFloat(string(fields[0]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}
