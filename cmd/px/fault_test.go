package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

func roomNames(n int) []string {
	return strings.Fields("general go rust music tea help books games food jobs python web databases networks operations security terminal open-source learning outdoors random thanks good-news introductions")[:n]
}

// fault is an event of a run with the longest pause it may cost.
type fault struct {
	name string
	at   time.Time
	most time.Duration
}

// TestConversationGoesOnThroughFaults runs a conversation over real processes
// through joins, a drain, a kill, a freeze and a router's death, and holds the
// history to the promises: nothing acknowledged lost, nothing doubled, no gap,
// one order for all, every sender's own order, pauses within their maxima. The
// shard that freezes does so by failpoint, between reading its owner record and
// the append: when it wakes that append must be refused. PX_FAULT_ROOMS and
// PX_FAULT_SECONDS make the run larger and longer; PX_FAULT_NATS puts the room
// log on so many NATS servers.
func TestConversationGoesOnThroughFaults(t *testing.T) {
	rooms, seconds := setting("PX_FAULT_ROOMS", 8), setting("PX_FAULT_SECONDS", 20)
	if testing.Short() {
		rooms, seconds = 4, 14
	}
	dir := t.TempDir()
	if n := setting("PX_FAULT_NATS", 0); n > 0 {
		t.Setenv("PX_LOG", natstest.URLs(natstest.StartCluster(t, n)))
	}
	freeze := filepath.Join(dir, "freeze")
	shards := map[string]*process{}
	for _, name := range []string{"s1", "s2"} {
		shards[name] = startShard(t, dir, name)
	}
	shards["s3"] = startFailing(t, dir, "s3", "roomlog.append.beforeBegin=stop@"+freeze)
	routers := []*process{startRouter(t, dir), startRouter(t, dir)}
	addrs := []string{routers[0].addr("client"), routers[1].addr("client")}

	names := roomNames(rooms)
	histories := map[string]*history{}
	talking, stopTalking := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
	defer stopTalking()
	var senders, readers sync.WaitGroup
	reading, stopReading := context.WithCancel(t.Context())
	defer readers.Wait()
	defer stopReading()
	const readersOfRoom = 2
	for i, name := range names {
		h := newHistory()
		histories[name] = h
		for n := range readersOfRoom {
			s := connectTo(t, fmt.Sprintf("r%d-%d", i, n), addrs[n%2], addrs[(n+1)%2])
			readers.Go(func() { readAll(reading, t, s, name, fmt.Sprint("reader ", n), h) })
		}
		for n := range sendersOfRoom {
			s := connectTo(t, fmt.Sprintf("w%d-%d", i, n), addrs[n%2], addrs[(n+1)%2])
			senders.Go(func() { talk(talking, t, s, name, n, h) })
		}
	}
	lateness := watch(t)
	var faults []fault
	happens := func(name string, most time.Duration) {
		faults = append(faults, fault{name, time.Now(), most})
		t.Logf("%4.1f s: %s", float64(seconds)-time.Until(deadlineOf(talking)).Seconds(), name)
	}
	// wait lets a part of the run pass.
	wait := func(parts float64) { pass(talking, time.Duration(float64(seconds)*parts/20*float64(time.Second))) }
	wait(2)
	happens("s4 joins", 0)
	shards["s4"] = startShard(t, dir, "s4")
	wait(2)
	happens("s1 drains", 0)
	if out, errs, code := px("drain", "--router", addrs[0], "--data", dir, "s1"); code != 0 {
		t.Errorf("drain: %s%s", out, errs)
	}
	wait(2)
	happens("s2 is killed", 2*time.Second)
	shards["s2"].kill()
	wait(3)
	happens("s5 joins", 0)
	shards["s5"] = startShard(t, dir, "s5")
	wait(2)
	if err := os.WriteFile(freeze, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitState(t, shards["s3"], 'T')
	happens("s3 freezes before an append", 5*time.Second)
	pass(t.Context(), 4*time.Second)
	shards["s3"].signal(syscall.SIGCONT)
	wait(1)
	happens("a router is killed", 500*time.Millisecond)
	routers[0].kill()
	senders.Wait()

	sent, acked := 0, 0
	for name, h := range histories {
		final := readFinal(t, connectTo(t, "", addrs[1]), name)
		awaitReaders(t, name, h, readersOfRoom, len(final))
		check(t, name, h, final)
		h.mu.Lock()
		acked += len(h.acked)
		for _, ids := range h.sent {
			sent += len(ids)
		}
		h.mu.Unlock()
	}
	stopReading()
	late := lateness()
	var logs strings.Builder
	for _, p := range shards {
		logs.WriteString(p.log())
	}
	acquired := regexp.MustCompile(`msg=acquired.* partition=(\d+)`).FindAllStringSubmatch(logs.String(), -1)
	used := map[string]bool{}
	for _, m := range acquired {
		used[m[1]] = true
	}
	moves := len(acquired) - len(used)
	refused := strings.Count(logs.String(), "append refused")
	forced := strings.Count(logs.String(), "ending a process")
	t.Logf("%d rooms, %d s: %d sent, %d acknowledged, %d partitions moved, %d appends of a deposed owner refused, %d processes ended by force", rooms, seconds, sent, acked, moves, refused, forced)
	if sent == 0 || acked != sent {
		t.Errorf("sent %d, acknowledged %d: all sent must be acknowledged", sent, acked)
	}
	if moves <= 0 || refused == 0 {
		t.Errorf("%d moves, %d refused appends: a run without either shows nothing", moves, refused)
	}
	t.Logf("the machine itself was late by %s at worst", late)
	checkPauses(t, histories, faults, allowance(late))
}

// checkPauses holds every fault, and every move that no fault caused, to its
// maximum and what a busy machine is allowed.
func checkPauses(t *testing.T, histories map[string]*history, faults []fault, busy time.Duration) {
	const planned, settle = 500 * time.Millisecond, 6 * time.Second
	var moved, bases []time.Duration
	worstAt := make([]time.Duration, len(faults))
	for name, h := range histories {
		h.mu.Lock()
		events := append([]time.Time{}, h.moves...)
		for _, f := range faults {
			events = append(events, f.at)
		}
		base := baseline(h.samples, events, settle)
		bases = append(bases, base)
		for i, f := range faults {
			worstAt[i] = max(worstAt[i], worst(h.samples, f.at)-base)
		}
		for _, at := range h.moves {
			caused := false
			for _, f := range faults {
				caused = caused || f.most > 0 && at.After(f.at.Add(-2*window)) && at.Before(f.at.Add(settle))
			}
			if caused {
				continue
			}
			pause := worst(h.samples, at) - base
			moved = append(moved, pause)
			if pause > planned+busy {
				t.Errorf("#%s: a planned move cost a pause of %s, at most %s and %s for a busy machine are allowed", name, pause, planned, busy)
			}
		}
		h.mu.Unlock()
	}
	for i, f := range faults {
		if f.most > 0 {
			t.Logf("%s: the worst pause is %s", f.name, worstAt[i])
		}
		if f.most > 0 && worstAt[i] > f.most+busy {
			t.Errorf("%s: a pause of %s, at most %s and %s for a busy machine are allowed", f.name, worstAt[i], f.most, busy)
		}
	}
	t.Logf("%d planned moves of rooms: pauses p50 %s, max %s; baseline %s", len(moved), percentile(moved, 0.5), percentile(moved, 1), percentile(bases, 0.5))
}

func deadlineOf(ctx context.Context) time.Time {
	at, _ := ctx.Deadline()
	return at
}

// pass lets d pass, or less if ctx ends.
func pass(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}
