package ownership

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/membership/membershiptest"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// fleet is a cluster of many shards that serve nothing but ownership: real
// gossip over a network in memory, real keepers, one log, 100,000 rooms that
// clients use all the time.
type fleet struct {
	t       *testing.T
	network *membershiptest.Network
	store   *memlog.Store
	seeds   []string
	rooms   [membership.Partitions]int

	mu      sync.Mutex
	members map[string]*fleetMember // by client address
}

// fleetMember is one shard. It plays Rooms and Peers.
type fleetMember struct {
	*membership.Cluster
	fleet  *fleet
	host   *membershiptest.Host
	census *Census
	keeper *Keeper
	cancel context.CancelFunc
	ended  sync.WaitGroup
	given  int // moves that were announced and done; guarded by the fleet's mu
}

func (f *fleet) start(name string) *fleetMember {
	host := f.network.Host()
	transport, err := host.Transport()
	if err != nil {
		f.t.Fatal(err)
	}
	m := &fleetMember{fleet: f, host: host}
	opts := membership.Options{Name: name, Role: membership.RoleShard, Client: host.IP() + ":1", Bind: host.GossipAddr(), Join: f.seeds, Transport: transport, LogID: "log"}
	if m.Cluster, err = membership.New(opts); err != nil {
		f.t.Fatal(err)
	}
	log, self := f.store.Open(), m.Self()
	m.census = NewCensus(log, roomlog.Process{Name: name, Boot: self.Boot, Role: "shard", Client: self.Client}, CensusOptions{Alive: m.Alive})
	m.keeper = NewKeeper(log, m.census, m.Cluster, m, m, Options{})
	f.mu.Lock()
	f.members[self.Client] = m
	if len(f.seeds) < 2 {
		f.seeds = append(f.seeds, host.GossipAddr())
	}
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.ended.Go(func() { m.Run(ctx) }) //nolint:errcheck // ends with ctx
	m.ended.Go(func() {
		<-m.Ready()
		if err := m.census.Enroll(ctx); err != nil {
			f.t.Errorf("%s: %v", name, err)
			return
		}
		m.ended.Go(func() { m.census.Run(ctx) }) //nolint:errcheck // ends with ctx
		m.ended.Go(func() { m.keeper.Run(ctx) }) //nolint:errcheck // ends with ctx
		m.SetState(membership.StateActive)
	})
	return m
}

// stop ends a member as a kill does.
func (m *fleetMember) stop() {
	m.fleet.mu.Lock()
	delete(m.fleet.members, m.Self().Client)
	m.fleet.mu.Unlock()
	m.host.Kill()
	m.cancel()
	m.ended.Wait()
}

func (m *fleetMember) peer(addr string) (*fleetMember, error) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	if other := m.fleet.members[addr]; other != nil {
		return other, nil
	}
	return nil, errors.New("connection refused")
}

func (m *fleetMember) Yield(ctx context.Context, addr string, partition int) (string, error) {
	other, err := m.peer(addr)
	if err != nil {
		return "", err
	}
	return other.keeper.Yield(ctx, partition, m.Self().Name, m.Self().Boot), nil
}

func (m *fleetMember) Offer(_ context.Context, addr string, partition int, draining bool) (bool, error) {
	other, err := m.peer(addr)
	if err != nil {
		return false, err
	}
	return other.keeper.Offered(partition, draining), nil
}

func (m *fleetMember) Announce(int, membership.Member)           {}
func (m *fleetMember) Stop(context.Context, int) ([]byte, error) { return nil, nil }
func (m *fleetMember) Resume(int)                                {}
func (m *fleetMember) Lost(int, uint64, Where)                   {}
func (m *fleetMember) Load(p int) (sessions, heard int)          { return m.fleet.rooms[p], m.fleet.rooms[p] }
func (m *fleetMember) Released(int, uint64, Where) {
	m.fleet.mu.Lock()
	m.given++
	m.fleet.mu.Unlock()
}

// use is a client's command for p, which begins at from's router; the epoch it is served under, 0 if not now.
func (f *fleet) use(from *fleetMember, p int) uint64 {
	owner, ok := from.Table().Owner(p)
	addr := owner.Client
	for range 4 {
		m, err := from.peer(addr)
		if !ok || err != nil {
			return 0
		}
		h, err := m.keeper.Hold(context.Background(), p)
		var to *RedirectError
		switch {
		case err == nil:
			return h.Epoch
		case !errors.As(err, &to):
			return 0
		}
		addr = to.Where.Addr
	}
	return 0
}

// settle has clients use every partition until done, every 20 ms, and returns
// how long the rooms of each partition were without an owner.
func (f *fleet) settle(from *fleetMember, limit time.Duration, done func() bool) (took time.Duration, pauses []time.Duration) {
	f.t.Helper()
	start := time.Now()
	var since [membership.Partitions]time.Time
	for {
		served := true
		for p := range since {
			switch epoch := f.use(from, p); {
			case epoch == 0 && since[p].IsZero():
				since[p], served = time.Now(), false
			case epoch == 0:
				served = false
			case !since[p].IsZero():
				pauses = append(pauses, time.Since(since[p]))
				since[p] = time.Time{}
			}
		}
		if served && done() {
			slices.Sort(pauses)
			return time.Since(start), pauses
		}
		if time.Since(start) > limit {
			f.t.Fatalf("not settled after %s\n%s", limit, f.unsettled(from, since[:]))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unsettled describes what settle waits for.
func (f *fleet) unsettled(from *fleetMember, since []time.Time) string {
	table := from.Table()
	var b strings.Builder
	fmt.Fprintf(&b, "%s has a table of %d shards\n", from.Self().Name, len(table.Shards()))
	for p, at := range since {
		if !at.IsZero() {
			owner, _ := table.Owner(p)
			record, err := from.keeper.log.Owner(context.Background(), p)
			record.Handover = nil
			fmt.Fprintf(&b, "partition %d is not served since %s, should be by %s; record %+v, %v\n", p, time.Since(at), owner.Name, record, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		self := m.Self()
		if m.Table().Version() != table.Version() {
			fmt.Fprintf(&b, "%s (%v) has another table, of %d shards\n", self.Name, self.State, len(m.Table().Shards()))
		}
		for _, h := range m.keeper.Held() {
			if owner, _ := table.Owner(h.Partition); owner.Boot != self.Boot {
				fmt.Fprintf(&b, "%s holds %d, which %s should\n", self.Name, h.Partition, owner.Name)
			}
		}
	}
	return b.String()
}

// placed tells whether everybody holds what from's table gives it.
func (f *fleet) placed(from *fleetMember, size int) func() bool {
	return func() bool {
		table := from.Table()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, m := range f.members {
			if m.Table().Version() != table.Version() {
				return false
			}
			for _, h := range m.keeper.Held() {
				if owner, _ := table.Owner(h.Partition); owner.Boot != m.Self().Boot {
					return false
				}
			}
		}
		return len(table.Shards()) == size
	}
}

func (f *fleet) moved() (partitions int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		partitions += m.given
		m.given = 0
	}
	return partitions
}

// TestHandOverInALargeCluster prints what a join, a drain and a death cost the
// rooms of a cluster of many shards. PX_SIM_MEMBERS=100 asks for more of them.
func TestHandOverInALargeCluster(t *testing.T) {
	size := 20
	if n, err := strconv.Atoi(os.Getenv("PX_SIM_MEMBERS")); err == nil && n > 2 {
		size = n
	} else if testing.Short() {
		size = 5
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t: t, network: membershiptest.New(1), store: memlog.NewStore(), members: map[string]*fleetMember{}}
		for i := range 100_000 {
			f.rooms[membership.Partition(fmt.Sprint("room-", i))]++
		}
		defer func() {
			for _, m := range f.members {
				m.stop()
			}
			time.Sleep(10 * time.Second) // the gossip library leaves probes and dials to their timeouts
		}()
		first := f.start("s000")
		var last, victim *fleetMember
		for i := 1; i < size; i++ {
			victim, last = last, f.start(fmt.Sprintf("s%03d", i))
		}
		took, _ := f.settle(first, time.Minute, f.placed(first, size))
		t.Logf("%d shards boot at once: 100,000 rooms served by whom one table says after %s", size, took)
		f.moved()

		f.start("t")
		took, pauses := f.settle(first, time.Minute, f.placed(first, size+1))
		t.Logf("one joins: %d partitions of %d moved, all in place after %s, %d noticed, longest pause %s", f.moved(), membership.Partitions, took, len(pauses), longest(pauses))

		var draining sync.WaitGroup
		draining.Go(func() { last.keeper.Drain(context.Background(), nil) }) //nolint:errcheck // checked below
		took, pauses = f.settle(first, time.Minute, f.placed(first, size))
		draining.Wait()
		t.Logf("one drains: %d partitions moved, all in place after %s, %d noticed, longest pause %s", f.moved(), took, len(pauses), longest(pauses))
		if n := len(last.keeper.Held()); n != 0 {
			t.Errorf("it holds %d after its drain", n)
		}

		held := len(victim.keeper.Held())
		victim.stop()
		took, pauses = f.settle(first, time.Minute, f.placed(first, size-1))
		t.Logf("one is killed, known by gossip and roll alone: its %d partitions are served, all in place after %s, longest pause %s", held, took, longest(pauses))
		if len(pauses) < held {
			t.Errorf("%d partitions paused, the killed shard held %d", len(pauses), held)
		}
		if longest(pauses) > 6*time.Second {
			t.Errorf("a pause of %s", longest(pauses))
		}
	})
}

func longest(pauses []time.Duration) time.Duration {
	if len(pauses) == 0 {
		return 0
	}
	return pauses[len(pauses)-1]
}
