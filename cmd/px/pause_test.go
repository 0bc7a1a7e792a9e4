package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// The pause of a room at an event is the worst acknowledgement time of the
// messages that were due within a second of the event, minus the median of the
// same figure over the windows of the run that hold no event.
const window = time.Second

// worst is the worst acknowledgement time within a window around at; zero
// without messages.
func worst(samples []sample, at time.Time) (took time.Duration) {
	for _, s := range samples {
		if d := s.intended.Sub(at); d > -window && d < window {
			took = max(took, s.took)
		}
	}
	return took
}

// baseline is the median of worst over windows without an event. settle is how
// long an event is given to be over.
func baseline(samples []sample, events []time.Time, settle time.Duration) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	var figures []time.Duration
	for at := samples[0].intended.Add(window); at.Before(samples[len(samples)-1].intended); at = at.Add(2 * window) {
		free := !slices.ContainsFunc(events, func(e time.Time) bool {
			return at.Add(window).After(e.Add(-window)) && at.Add(-window).Before(e.Add(settle))
		})
		if took := worst(samples, at); free && took > 0 {
			figures = append(figures, took)
		}
	}
	return percentile(figures, 0.5)
}

// percentile sorts figures; zero if there are none.
func percentile(figures []time.Duration, p float64) time.Duration {
	if len(figures) == 0 {
		return 0
	}
	slices.Sort(figures)
	return figures[min(int(p*float64(len(figures))), len(figures)-1)]
}

// BenchmarkPlannedMove lets a fourth shard join and drains it, over and over,
// under 20 messages a second in each of 24 rooms, until rooms have moved 300
// times (or b.N times), and reports the pauses.
func BenchmarkPlannedMove(b *testing.B) {
	dir := b.TempDir()
	for _, name := range []string{"s1", "s2", "s3"} {
		startShard(b, dir, name)
	}
	router := startRouter(b, dir).addr("client")
	names := roomNames(24)
	histories := make([]*history, len(names))
	talking, stop := context.WithCancel(b.Context())
	defer stop()
	var senders sync.WaitGroup
	for i, name := range names {
		histories[i] = newHistory()
		for n := range sendersOfRoom {
			s := connectTo(b, fmt.Sprintf("w%d-%d", i, n), router)
			senders.Go(func() { talk(talking, b, s, name, n, histories[i]) })
		}
	}
	moves := func() (n int, last time.Time) {
		for _, h := range histories {
			h.mu.Lock()
			n += len(h.moves)
			if len(h.moves) > 0 && h.moves[len(h.moves)-1].After(last) {
				last = h.moves[len(h.moves)-1]
			}
			h.mu.Unlock()
		}
		return n, last
	}
	// settled waits until rooms have moved and then not any more for a while.
	settled := func(before int) {
		for deadline := time.Now().Add(20 * time.Second); ; {
			n, last := moves()
			if n > before && time.Since(last) > 2*window+window/2 {
				return
			}
			if time.Now().After(deadline) {
				b.Fatalf("rooms have moved %d times, as before", n)
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	b.ResetTimer()
	for i := 0; ; i++ {
		n, _ := moves()
		if n >= max(300, b.N) {
			break
		}
		name := fmt.Sprint("t", i)
		startShard(b, dir, name)
		settled(n)
		n, _ = moves()
		if out, errs, code := px("drain", "--router", router, "--data", dir, name); code != 0 {
			b.Fatalf("drain: %s%s", out, errs)
		}
		settled(n)
	}
	b.StopTimer()
	stop()
	senders.Wait()
	var pauses, bases []time.Duration
	for _, h := range histories {
		base := baseline(h.samples, h.moves, 2*window)
		bases = append(bases, base)
		for _, at := range h.moves {
			pauses = append(pauses, max(0, worst(h.samples, at)-base))
		}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(float64(len(pauses)), "moves")
	b.ReportMetric(ms(percentile(bases, 0.5)), "baseline-ms")
	b.ReportMetric(ms(percentile(pauses, 0.5)), "p50-ms")
	b.ReportMetric(ms(percentile(pauses, 0.99)), "p99-ms")
	b.ReportMetric(ms(percentile(pauses, 1)), "max-ms")
	b.ReportMetric(0, "ns/op")
}
