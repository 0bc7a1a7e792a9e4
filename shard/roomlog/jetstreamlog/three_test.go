package jetstreamlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
	"positivity-exchange/shard/roomlog/roomlogtest"
)

// setting is a number from the environment: tests that take minutes are asked for.
func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// leaderOf is the server that leads a stream, nil if none does now.
func leaderOf(ctx context.Context, l *Log, stream string, servers []*natstest.Server) *natstest.Server {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	s, err := l.js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return nil
	}
	i := slices.IndexFunc(servers, func(n *natstest.Server) bool { return n.Config.Name == s.CachedInfo().Cluster.Leader })
	if i < 0 {
		return nil
	}
	return servers[i]
}

// killLeaders kills a stream's leader n times, at most one in every so often,
// and starts it again at once. It returns how many it killed.
func killLeaders(ctx context.Context, t *testing.T, l *Log, stream string, servers []*natstest.Server, n int, every time.Duration) (killed int) {
	for killed < n && ctx.Err() == nil {
		if pause(ctx, every) != nil {
			break
		}
		leader := leaderOf(ctx, l, stream, servers)
		if leader == nil {
			continue
		}
		leader.Kill()
		if err := leader.Run(); err != nil {
			t.Error(err)
			break
		}
		killed++
	}
	return killed
}

// TestConformanceOnThree runs the suite on three servers. PX_NATS_THREE=1 asks
// for it; PX_NATS_KILL_EVERY=5 has the leader of the suite's first partition
// killed every 5 s meanwhile; PX_NATS_SHARE=1 runs all of the suite.
func TestConformanceOnThree(t *testing.T) {
	if setting("PX_NATS_THREE", 0) == 0 {
		t.Skip("takes minutes: PX_NATS_THREE=1 asks for it, PX_NATS_KILL_EVERY=5 kills the leader every 5 s besides")
	}
	servers := natstest.StartCluster(t, 3)
	impl := on(natstest.URLs(servers))
	if every := setting("PX_NATS_KILL_EVERY", 0); every > 0 {
		l := held(t, natstest.URLs(servers))
		ctx, cancel := context.WithCancel(t.Context())
		var killer sync.WaitGroup
		killer.Go(func() {
			n := killLeaders(ctx, t, l, l.parts[0].stream, servers, 1<<30, time.Duration(every)*time.Second)
			t.Logf("%d leaders were killed", n)
		})
		defer killer.Wait()
		defer cancel()
	}
	roomlogtest.Test(t, impl)
}

// contest is what contenders for one partition did.
type contest struct {
	pace time.Duration // between two appends

	mu                                          sync.Mutex
	acked                                       map[uint64]string // sequence -> content
	never                                       map[string]bool   // certainly not in
	takeOvers, fenced, refused, unknown, misled int
	worst                                       time.Duration // between two acknowledgements
	latest                                      time.Time
}

func (c *contest) note(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// contend takes the partition again and again and writes until it is deposed.
func (c *contest) contend(ctx context.Context, l *Log, partition int, name string) {
	rng := rand.New(rand.NewPCG(uint64(len(name)), 7))
	for n := 0; ctx.Err() == nil; {
		from, err := l.Owner(ctx, partition)
		if err != nil {
			continue
		}
		own, err := l.Acquire(ctx, partition, from, roomlog.Owner{Name: name, Boot: name})
		if err != nil {
			continue
		}
		c.note(func() { c.takeOvers++ })
		head, _, err := l.Head(ctx, partition, "go")
		if err != nil {
			continue
		}
		for seq := head.Seq; pause(ctx, c.pace) == nil; {
			batch := make([]roomlog.Record, 1+rng.IntN(8))
			for i := range batch {
				n++
				batch[i] = record("go", seq+uint64(i)+1)
				batch[i].Content = fmt.Sprintf("%s-%d", name, n)
			}
			err := l.Append(ctx, partition, own.Epoch, batch)
			c.note(func() { c.settle(batch, err) })
			if err != nil && !errors.Is(err, roomlog.ErrRefused) {
				break // fenced or unknown: take it again, and read the head
			}
			if err == nil {
				seq += uint64(len(batch))
			}
		}
		if pause(ctx, time.Duration(100+rng.IntN(400))*time.Millisecond) != nil {
			return
		}
	}
}

func (c *contest) settle(batch []roomlog.Record, err error) {
	switch {
	case err == nil:
		if now := time.Now(); !c.latest.IsZero() {
			c.worst = max(c.worst, now.Sub(c.latest))
		}
		c.latest = time.Now()
		for _, r := range batch {
			c.acked[r.Seq] = r.Content
		}
		return
	case errors.Is(err, roomlog.ErrUnknown):
		c.unknown++
		return
	case errors.Is(err, roomlog.ErrFenced):
		c.fenced++
	case !errors.Is(err, errNoAnswer):
		c.misled++ // numbered from a head that was not the newest
	default:
		c.refused++
	}
	for _, r := range batch {
		c.never[r.Content] = true
	}
}

// check reads the room through l and holds it to what was said of it.
func (c *contest) check(t *testing.T, l roomlog.Log, partition int) {
	t.Helper()
	seen := map[string]bool{}
	var next, epoch uint64 = 1, 0
	lost, doubled := 0, 0
	for {
		page, err := l.Read(t.Context(), partition, "go", next, 1000, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.Seq != next || r.Epoch < epoch {
				t.Fatalf("sequence %d of epoch %d follows %d of %d", r.Seq, r.Epoch, next-1, epoch)
			}
			if want, ok := c.acked[r.Seq]; ok && want != r.Content {
				lost++
			}
			if seen[r.Content] {
				doubled++
			}
			if c.never[r.Content] {
				t.Errorf("sequence %d: %s was refused and is in", r.Seq, r.Content)
			}
			seen[r.Content] = true
			delete(c.acked, r.Seq)
			next, epoch = r.Seq+1, r.Epoch
		}
	}
	lost += len(c.acked)
	t.Logf("partition %d: %d records, %d take-overs, %d appends fenced, %d refused, %d unknown, %d lost, %d doubled; the longest pause is %s",
		partition, next-1, c.takeOvers, c.fenced, c.refused, c.unknown, lost, doubled, c.worst.Round(time.Millisecond))
	if c.misled > 0 {
		t.Errorf("partition %d: %d appends were numbered from a head that was not the newest", partition, c.misled)
	}
	if lost > 0 || doubled > 0 || next == 1 || c.takeOvers < 2 || c.fenced == 0 {
		t.Errorf("partition %d is not as it should be", partition)
	}
}

// aloneIsNotBelieved freezes all servers but the leader of partition 0: soon it
// may not say any more who owns the partition, since others might know better.
func aloneIsNotBelieved(t *testing.T, l *Log, servers []*natstest.Server) {
	t.Helper()
	var leader *natstest.Server
	for leader == nil {
		leader = leaderOf(t.Context(), l, l.parts[0].stream, servers)
	}
	near, err := Open(Options{URL: leader.URL(), Cluster: l.cluster, Partitions: len(l.parts), Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	for _, s := range servers {
		if s != leader {
			s.Freeze(t)
			defer s.Thaw()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), ownerFor)
	defer cancel()
	start := time.Now()
	for err == nil {
		attempt, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err = near.Owner(attempt, 0)
		cancel()
		if err == nil && pause(ctx, 10*time.Millisecond) != nil {
			t.Fatalf("alone for %s, the leader is still believed", time.Since(start))
		}
	}
	if !errors.Is(err, errAlone) && !errors.Is(err, errNoAnswer) {
		t.Errorf("got %v", err)
	}
	t.Logf("alone, the leader is not believed any more after %s", time.Since(start))
}

// TestLeadersKilledUnderTakeOvers lets two contenders each fight for two
// partitions while the leader of one's stream is killed, once or PX_NATS_KILLS
// times, at most every PX_NATS_KILL_EVERY seconds, with an append every
// PX_NATS_PACE milliseconds.
func TestLeadersKilledUnderTakeOvers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("an election takes up to 9 s")
	}
	servers := natstest.StartCluster(t, 3)
	url := natstest.URLs(servers)
	l := held(t, url)
	other, err := Open(Options{URL: url, Cluster: l.cluster, Partitions: len(l.parts)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := l.Acquire(t.Context(), 1, roomlog.Owner{}, roomlog.Owner{Boot: "b"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), 1, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); err != nil {
		t.Fatal(err)
	}
	aloneIsNotBelieved(t, l, servers)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	contests := make([]*contest, 2)
	for p := range contests {
		contests[p] = &contest{pace: time.Duration(setting("PX_NATS_PACE", 4)) * time.Millisecond, acked: map[uint64]string{}, never: map[string]bool{}}
		writers.Go(func() { contests[p].contend(ctx, l, p, "ada") })
		writers.Go(func() { contests[p].contend(ctx, other, p, "hopper") })
	}
	for p, c := range contests { // both are fought for
		for fought := false; !fought; c.note(func() { fought = c.fenced > 0 }) {
			if pause(ctx, 10*time.Millisecond) != nil {
				t.Fatalf("partition %d is not fought for", p)
			}
		}
	}
	every := time.Duration(setting("PX_NATS_KILL_EVERY", 1)) * time.Second
	kills := killLeaders(ctx, t, l, l.parts[0].stream, servers, setting("PX_NATS_KILLS", 1), every)
	// Afterwards all goes on.
	for p, c := range contests {
		var before int
		c.note(func() { before = len(c.acked) })
		deadline := time.Now().Add(30 * time.Second)
		for after := before; after == before; c.note(func() { after = len(c.acked) }) {
			if time.Now().After(deadline) || pause(ctx, 10*time.Millisecond) != nil {
				t.Fatalf("partition %d is not writable 30 s after the last kill", p)
			}
		}
	}
	cancel()
	writers.Wait()
	t.Logf("%d leaders were killed", kills)
	fresh, err := Open(Options{URL: url, Cluster: l.cluster, Partitions: len(l.parts)})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	for p, c := range contests {
		c.check(t, patient{fresh}, p)
	}
}
