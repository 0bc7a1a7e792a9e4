package ownership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a few keepers on one log whose gossip says what the test wants.
// Used inside a synctest bubble.
type world struct {
	t     *testing.T
	store *memlog.Store
	nodes map[string]*node
}

// node is one keeper with everything around it. It plays Gossip and Rooms.
type node struct {
	world  *world
	log    *memlog.Log
	roll   *stalled // the same log, for the census
	keeper *Keeper
	census *Census
	astray atomic.Int64 // by how much its wall clock was set, nanoseconds
	cancel context.CancelFunc
	ended  sync.WaitGroup
	err    error // of the census, once censusEnded is closed

	censusEnded chan struct{}

	mu       sync.Mutex
	self     membership.Member
	table    *membership.Table
	dead     map[string]bool // boots that are not alive in its view
	uneasy   atomic.Bool
	deaf     map[string]bool // names its questions do not reach
	watchers []chan struct{}
	gossips  time.Duration // how long its gossip takes to tell others something
	stops    time.Duration // how long its rooms take to stop
	sessions int           // of every partition
	heard    int
	told     []string // what the sessions were told
	words    []string // what it logged
}

// Write takes a line of the node's log.
func (n *node) Write(line []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.words = append(n.words, string(line))
	return len(line), nil
}

// said lists what the node logged at a level.
func (n *node) said(level slog.Level) (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.words {
		if strings.Contains(line, "level="+level.String()+" ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func newWorld(t *testing.T) *world {
	return &world{t: t, store: memlog.NewStore(), nodes: map[string]*node{}}
}

// start runs a keeper; the tables of all are set to hold it too.
func (w *world) start(name string) *node {
	w.t.Helper()
	n := w.boot(name)
	if err := n.census.Enroll(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	n.run()
	w.settle()
	return n
}

// boot makes a keeper that does not run yet.
func (w *world) boot(name string) *node {
	n := &node{world: w, log: w.store.Open(), dead: map[string]bool{}, deaf: map[string]bool{}, table: membership.NewTable(nil)}
	n.self = membership.Member{Name: name, Boot: membership.NewBoot() + name, Role: membership.RoleShard, State: membership.StateActive, Client: name + ":1"}
	process := roomlog.Process{Name: name, Boot: n.self.Boot, Role: "shard", Client: n.self.Client, Alone: true}
	n.roll = &stalled{Log: n.log, process: process}
	logger := slog.New(slog.NewTextHandler(n, nil))
	n.census = NewCensus(n.roll, process, CensusOptions{Logger: logger, Alive: n.Alive, Uneasy: n.uneasy.Load})
	n.census.wall = func(t time.Time) int64 { return t.UnixNano() + n.astray.Load() }
	n.keeper = NewKeeper(n.log, n.census, n, n, n, Options{Logger: logger})
	w.nodes[name] = n
	return n
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.censusEnded = make(chan struct{})
	n.ended.Go(func() {
		defer close(n.censusEnded)
		n.err = n.census.Run(ctx)
	})
	n.ended.Go(func() { n.keeper.Run(ctx) }) //nolint:errcheck // ends with ctx
}

// stop ends a keeper as a kill does: without a word to anybody.
func (n *node) stop() {
	n.cancel()
	n.ended.Wait()
}

// settle gives all nodes the table of all active ones.
func (w *world) settle() {
	var active []membership.Member
	for _, n := range w.nodes {
		if n.Self().State == membership.StateActive {
			active = append(active, n.Self())
		}
	}
	for _, n := range w.nodes {
		n.setTable(active...)
	}
}

func (n *node) setTable(members ...membership.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.table = membership.NewTable(members)
	for _, w := range n.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// lose says that other is not alive in n's view.
func (n *node) lose(other *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead[other.self.Boot] = true
}

func (n *node) set(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// partitionOf finds a partition that n's table gives to owner.
func (n *node) partitionOf(owner *node) int {
	for p := range membership.Partitions {
		if m, _ := n.Table().Owner(p); m.Name == owner.self.Name {
			return p
		}
	}
	n.world.t.Fatalf("%s owns nothing", owner.self.Name)
	return 0
}

// hold uses a partition as a shard does: again while it is not ready.
func (n *node) hold(p int, within time.Duration) (Holding, error) {
	deadline := time.Now().Add(within)
	for {
		h, err := n.keeper.Hold(context.Background(), p)
		var redirect *RedirectError
		if err == nil || errors.As(err, &redirect) || time.Now().After(deadline) {
			return h, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (n *node) mustHold(p int, within time.Duration) Holding {
	n.world.t.Helper()
	h, err := n.hold(p, within)
	if err != nil {
		n.world.t.Fatalf("%s does not hold %d after %s: %v", n.self.Name, p, within, err)
	}
	return h
}

func (n *node) saw(what string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.told, what)
}

// Gossip

func (n *node) Self() membership.Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.self
}

func (n *node) Table() *membership.Table {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.table
}

func (n *node) Members() []membership.Member {
	var list []membership.Member
	for _, other := range n.world.nodes {
		if other == n || n.Alive(other.Self().Boot) {
			list = append(list, other.Self())
		}
	}
	return list
}

func (n *node) Watch() (<-chan struct{}, func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := make(chan struct{}, 1)
	n.watchers = append(n.watchers, c)
	return c, func() {}
}

func (n *node) Alive(boot string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead[boot] {
		return false
	}
	for _, other := range n.world.nodes {
		if other == n && n.self.Boot == boot {
			return true
		}
		if other != n && other.self.Boot == boot {
			return true
		}
	}
	return false
}

func (n *node) SetState(s membership.State) {
	n.set(func() { n.self.State = s })
	n.world.settle()
}

func (n *node) SetCut(cut bool) {
	was := n.Self().Cut
	n.set(func() { n.self.Cut = cut })
	if was != cut {
		time.Sleep(n.gossips) // Cluster.SetCut waits until it was told, up to two seconds
	}
}

// Peers

func (n *node) peer(addr string) (*node, error) {
	for _, other := range n.world.nodes {
		if other.Self().Client != addr {
			continue
		}
		n.mu.Lock()
		deaf := n.deaf[other.self.Name]
		n.mu.Unlock()
		if !deaf {
			return other, nil
		}
	}
	return nil, fmt.Errorf("%s cannot reach %s", n.self.Name, addr)
}

func (n *node) Yield(ctx context.Context, addr string, partition int) (string, error) {
	other, err := n.peer(addr)
	if err != nil {
		return "", err
	}
	return other.keeper.Yield(ctx, partition, n.self.Name, n.self.Boot), nil
}

func (n *node) Offer(_ context.Context, addr string, partition int, draining bool) (bool, error) {
	other, err := n.peer(addr)
	if err != nil {
		return false, err
	}
	return other.keeper.Offered(partition, draining), nil
}

// Rooms

func (n *node) tell(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, fmt.Sprintf(format, args...))
}

func (n *node) Announce(p int, to membership.Member) { n.tell("announce %d %s", p, to.Name) }
func (n *node) Stop(ctx context.Context, _ int) ([]byte, error) {
	return []byte("present"), pause(ctx, n.stops)
}
func (n *node) Resume(p int)                      { n.tell("resume %d", p) }
func (n *node) Released(p int, _ uint64, w Where) { n.tell("released %d %s", p, w.Name) }
func (n *node) Lost(p int, epoch uint64, w Where) { n.tell("lost %d %d %s", p, epoch, w.Name) }
func (n *node) Load(int) (sessions, heard int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions, n.heard
}

// inBubble runs f on a fake clock and stops the nodes at its end.
func inBubble(t *testing.T, f func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() {
			for _, n := range w.nodes {
				if n.cancel != nil {
					n.stop()
				}
			}
		}()
		f(t, w)
	})
}

// lastBeat is when the last successful heartbeat began; zero if none.
func (c *Census) lastBeat() time.Time {
	if last := c.last.Load(); last != nil {
		return last.at
	}
	return time.Time{}
}
