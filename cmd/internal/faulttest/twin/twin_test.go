package twin

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

func number(t *testing.T, name string, or uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return or
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestTwin runs seeds from PX_TWIN_FROM (1) on, PX_TWIN_SEEDS (100) of them.
// PX_TWIN_SEED replays one, with its schedule and history in the log;
// PX_TWIN_LOG=1 adds what all processes log.
func TestTwin(t *testing.T) {
	needsTime(t)
	if os.Getenv("PX_TWIN_SEED") != "" {
		seed := number(t, "PX_TWIN_SEED", 0)
		res, err := runSeed(order{Seed: seed, Start: start(t), Lines: true, Log: os.Getenv("PX_TWIN_LOG") != ""})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range append(res.Schedule, res.Lines...) {
			t.Log(line)
		}
		show(t, res)
		return
	}
	from, n := number(t, "PX_TWIN_FROM", 1), number(t, "PX_TWIN_SEEDS", 100)
	began := time.Now()
	var total Result
	run(order{}, from, n, func(o order, res *Result, err error) bool {
		if err != nil {
			t.Error(err)
			return true
		}
		if len(res.Breaches) > 0 {
			show(t, res)
		}
		total.add(res)
		return true
	})
	t.Logf("%d seeds from %d on in %s (%s of processor time), %s simulated", n, from, time.Since(began).Round(time.Second), total.CPU.Round(time.Second), total.Simulated.Round(time.Second))
	t.Logf("%+v", total)
}

// start is where the run to be replayed began.
func start(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("PX_TWIN_START")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		t.Fatalf("PX_TWIN_START: %v", err)
	}
	return n
}

// show fails the test for each breach, and says how to see it again.
func show(t *testing.T, res *Result) {
	t.Helper()
	for _, b := range res.Breaches {
		t.Errorf("seed %d: %s", res.Seed, b)
	}
	replay := fmt.Sprintf("PX_TWIN_SEED=%d PX_TWIN_START=%016x go test -v -run TestTwin ./cmd/internal/faulttest/twin", res.Seed, res.Start)
	if !res.Seeded {
		replay = fmt.Sprintf("PX_TWIN_SEED=%d (the runtime's randomness cannot be seeded here: the schedule is the same, the order of goroutines is not)", res.Seed)
	}
	t.Logf("seed %d: history %016x, %d sent, %d moves. Replay: %s", res.Seed, res.Digest, res.Sent, res.Moves, replay)
}

// run runs seeds beside each other until took says no; took is called for one
// at a time, in any order.
func run(o order, from, n uint64, took func(order, *Result, error) bool) {
	var mu sync.Mutex
	next, over := from, false
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				end := over || seed >= from+n
				mu.Unlock()
				if end {
					return
				}
				o := o
				o.Seed = seed
				res, err := runSeed(o)
				mu.Lock()
				if !over && !took(o, res, err) {
					over = true
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// TestReplay runs one seed several times: histories that began alike must be
// the same to the last byte and nanosecond.
func TestReplay(t *testing.T) {
	needsTime(t)
	times, seed := number(t, "PX_TWIN_TIMES", 4), number(t, "PX_TWIN_SEED", 7)
	digests := map[uint64]uint64{}
	for i := range times {
		o := order{Seed: seed}
		if i > 0 && i == times-1 {
			for o.Start = range digests {
				break
			}
		}
		res, err := runSeed(o)
		if err != nil {
			t.Fatal(err)
		}
		if !res.Seeded {
			t.Skip("the runtime's randomness cannot be seeded here")
		}
		if was, ok := digests[res.Start]; ok && was != res.Digest {
			t.Errorf("seed %d from start %016x: history %016x, and before %016x", seed, res.Start, res.Digest, was)
		}
		digests[res.Start] = res.Digest
	}
	t.Logf("seed %d: %d runs, %d starts, a history each: %x", seed, times, len(digests), digests)
}

func (r *Result) add(o *Result) {
	r.Sent += o.Sent
	r.Acked += o.Acked
	r.Delivered += o.Delivered
	r.Moves += o.Moves
	r.Redirects += o.Redirects
	r.Appends += o.Appends
	r.Fenced += o.Fenced
	r.Refused += o.Refused
	r.Unknown += o.Unknown
	r.Acquired += o.Acquired
	r.Simulated += o.Simulated
	r.CPU += o.CPU
	r.Took += o.Took
}
