package membership

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shards(names ...string) []Member {
	list := make([]Member, len(names))
	for i, n := range names {
		list[i] = Member{Name: n, Boot: n + "-boot", Role: RoleShard, State: StateActive}
	}
	return list
}

// TestGossipAtAName listens at what the name stands for, and nowhere else.
func TestGossipAtAName(t *testing.T) {
	for _, opts := range []Options{
		{Bind: "localhost:0"},
		{Bind: "127.0.0.1:0", Advertise: "chat..example"}, // nobody comes to a loopback by it
		{Bind: "127.0.0.1:0", Advertise: "10.0.0.5"},
	} {
		opts.Name, opts.Role, opts.Client = "s1", RoleShard, "127.0.0.1:1"
		c, err := New(opts)
		if err != nil {
			t.Fatalf("%+v: %v", opts, err)
		}
		if host, _, err := net.SplitHostPort(c.Self().Gossip); err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%s, %s: it is at %s", opts.Bind, opts.Advertise, c.Self().Gossip)
		}
		if err := c.list.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	opts := Options{Name: "s1", Role: RoleShard, Client: "127.0.0.1:1", Bind: "0.0.0.0:0", Advertise: "localhost", Secret: make([]byte, 32)}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if host, _, _ := net.SplitHostPort(c.Self().Gossip); !net.ParseIP(host).IsLoopback() {
		t.Errorf("it tells others %s", c.Self().Gossip)
	}
	if err := c.list.Shutdown(); err != nil {
		t.Fatal(err)
	}
	opts.Advertise = "chat..example"
	if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "chat..example") {
		t.Errorf("a name that stands for nothing: %v", err)
	}
	opts.Bind, opts.Advertise = "[::]:0", ""
	if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "[::]:0") || !strings.Contains(err.Error(), "--advertise") {
		t.Errorf("all addresses of IPv6: %v", err)
	}
}

// TestRebuildsBesideEachOther: the loop of Run rebuilds what gossip brings while
// a change of the own state rebuilds too; whichever ends last, both are in it.
func TestRebuildsBesideEachOther(t *testing.T) {
	c := &Cluster{nodes: map[string]node{}, refused: map[string]bool{}}
	c.members.Store(&[]Member{})
	entry := func(name string) node {
		m := meta{version: Version, Member: Member{Name: name, Boot: name + "-boot", Role: RoleRouter, State: StateActive}}
		return node{"127.0.0.1:1", m.encode()}
	}
	for i := range 100 { // the more to copy, the longer a rebuild takes
		name := fmt.Sprint("old", i)
		c.nodes[name] = entry(name)
	}
	for range 300 {
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			wg.Go(func() {
				c.nodesMu.Lock()
				c.nodes[name] = entry(name)
				c.nodesMu.Unlock()
				c.rebuild()
			})
		}
		wg.Wait()
		for _, name := range []string{"a", "b"} {
			if !slices.ContainsFunc(c.Members(), func(m Member) bool { return m.Name == name }) {
				t.Fatalf("%s came before the last rebuild began, and is not in it", name)
			}
			delete(c.nodes, name)
		}
	}
}

// TestJoinsAndLeavesMoveLittle holds the builder to its promise over 100 sets
// of names of 1 to 20 shards: needless moves (a partition that changes between
// two shards which both stay) and the fullest shard.
func TestJoinsAndLeavesMoveLittle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var sum, worst, fullest float64
	runs, sets := 0, 100
	if testing.Short() {
		sets = 5
	}
	for range sets {
		var names []string
		prefix := fmt.Sprintf("%x-", rng.Uint32())
		for len(names) < 20 {
			names = append(names, fmt.Sprintf("%s%d", prefix, len(names)))
			n := len(names)
			after := NewTable(shards(names...))
			load := map[string]int{}
			for p := range Partitions {
				m, _ := after.Owner(p)
				load[m.Name]++
			}
			for _, k := range load {
				fullest = max(fullest, float64(k)*float64(n)/Partitions)
			}
			if n == 1 {
				continue
			}
			before := NewTable(shards(names[:n-1]...))
			joins, leaves := 0, 0
			for p := range Partitions {
				a, _ := before.Owner(p)
				b, _ := after.Owner(p)
				if a.Name != b.Name && b.Name != names[n-1] {
					joins++ // moved between two that were there before and after
				}
			}
			gone := names[rng.IntN(n)]
			var rest []string
			for _, name := range names {
				if name != gone {
					rest = append(rest, name)
				}
			}
			left := NewTable(shards(rest...))
			for p := range Partitions {
				a, _ := after.Owner(p)
				b, _ := left.Owner(p)
				if a.Name != b.Name && a.Name != gone {
					leaves++
				}
			}
			for _, k := range []int{joins, leaves} {
				share := float64(k) / Partitions
				sum, worst, runs = sum+share, max(worst, share), runs+1
			}
		}
	}
	t.Logf("needless moves: mean %.2f %%, worst %.2f %% of %d changes; fullest shard %.2f times the mean", 100*sum/float64(runs), 100*worst, runs, fullest)
	if sum/float64(runs) > 0.01 || worst > 0.05 || fullest > 1.35 {
		t.Errorf("want mean at most 1 %%, worst at most 5 %%, fullest at most 1.35")
	}
}

func TestTableDependsOnItsMembersAlone(t *testing.T) {
	a := NewTable(shards("s1", "s2", "s3"))
	twice := append(shards("s3", "s1"), shards("s2", "s1")...)
	b := NewTable(twice)
	if a.Version() != b.Version() {
		t.Fatalf("versions %x and %x", a.Version(), b.Version())
	}
	for p := range Partitions {
		x, _ := a.Owner(p)
		y, _ := b.Owner(p)
		if x.Name != y.Name {
			t.Fatalf("partition %d: %s and %s", p, x.Name, y.Name)
		}
	}
	if NewTable(shards("s1", "s2")).Version() == a.Version() {
		t.Error("two lists have one version")
	}
}

func TestTableOfNobodyAndOfTooMany(t *testing.T) {
	if _, ok := NewTable(nil).Owner(0); ok {
		t.Error("an empty table has an owner")
	}
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("s%03d", i))
	}
	table := NewTable(shards(names...))
	if n := len(table.Shards()); n != Partitions {
		t.Errorf("%d shards serve, want %d", n, Partitions)
	}
	if _, ok := table.Owner(Partitions); ok {
		t.Error("a partition beyond the last has an owner")
	}
}

func FuzzParseMeta(f *testing.F) {
	f.Add(meta{version: 1, Member: Member{Name: "s1", Boot: "b", Role: RoleShard, State: StateActive, Client: "h:1"}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMeta(b)
		if err != nil {
			return
		}
		again, err := parseMeta(m.encode())
		if err != nil || again != m {
			t.Fatalf("%+v came back as %+v, %v", m, again, err)
		}
	})
}

func TestSecretIsMadeOnceByRacers(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	got := make([][]byte, 8)
	for i := range got {
		wg.Go(func() {
			secret, _, err := LoadSecret(dir, "", "")
			if err != nil {
				t.Error(err)
			}
			got[i] = secret
		})
	}
	wg.Wait()
	for _, secret := range got {
		if len(secret) != 32 || !bytes.Equal(secret, got[0]) {
			t.Fatalf("secrets differ: %x and %x", secret, got[0])
		}
	}
	if _, _, err := LoadSecret(dir, "", "short"); err == nil {
		t.Error("a short secret was taken")
	}
}

// start runs a member on a loopback port until the test ends.
func start(t *testing.T, opts Options) *Cluster {
	t.Helper()
	opts.Bind, opts.Client = "127.0.0.1:0", "127.0.0.1:1"
	if opts.Role == "" {
		opts.Role = RoleShard
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-c.Ready():
	case err := <-done:
		done <- nil
		t.Fatalf("%s: %v", opts.Name, err)
	}
	c.SetState(StateActive)
	return c
}

// await waits until want holds, driven by c's changes.
func await(t *testing.T, c *Cluster, what string, want func() bool) {
	t.Helper()
	changed, stop := c.Watch()
	defer stop()
	deadline := time.After(10 * time.Second)
	for !want() {
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s did not happen; members %+v", what, c.Members())
		}
	}
}

func TestMembersAgreeAfterJoinDrainAndLeave(t *testing.T) {
	dir, secret := t.TempDir(), bytes.Repeat([]byte{7}, 32)
	a := start(t, Options{Name: "s1", Dir: dir, Secret: secret, LogID: "log"})
	b := start(t, Options{Name: "s2", Dir: dir, Secret: secret, LogID: "log"})
	r := start(t, Options{Name: "r1", Role: RoleRouter, Dir: dir, Secret: secret, LogID: "log"})
	size := func(c *Cluster, n int) func() bool { return func() bool { return len(c.Table().Shards()) == n } }
	for _, c := range []*Cluster{a, b, r} {
		await(t, c, "a table of two shards", size(c, 2))
	}
	if a.Table().Version() != r.Table().Version() {
		t.Error("tables differ")
	}
	b.SetState(StateDraining)
	await(t, a, "the drain", size(a, 1))
	if !a.Alive(b.Self().Boot) {
		t.Error("a draining member is alive")
	}
	b.Leave()
	await(t, a, "the leave", func() bool { return !a.Alive(b.Self().Boot) })
}

// TestStateChangedFromTwoSidesIsTheLastSaid: a drain and a lost log may come at
// the same time, and the repeat of either in the midst of the other.
func TestStateChangedFromTwoSidesIsTheLastSaid(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	a := start(t, Options{Name: "s1", Secret: secret, LogID: "log"})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				a.SetState([]State{StateDraining, StateActive}[(i+n)%2])
				a.SetCut((i+n)%3 == 0)
				a.gossipSelf(time.Millisecond) //nolint:errcheck // alone: nothing to wait for
			}
		})
	}
	wg.Wait()
	a.SetState(StateActive)
	a.SetCut(false)
	if list := a.Members(); len(list) != 1 || list[0].State != StateActive || list[0].Cut {
		t.Errorf("members %+v", list)
	}
}

func TestMemberWithAnotherLogIsRefusedAndToldWhy(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	a := start(t, Options{Name: "s1", Secret: secret, LogID: "log-one"})
	b, err := New(Options{Name: "s2", Role: RoleShard, Client: "h:1", Bind: "127.0.0.1:0", Secret: secret, LogID: "log-two", Join: []string{a.Self().Gossip}})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "log-one") || !strings.Contains(err.Error(), "log-two") {
		t.Errorf("got %v, want an error that names both logs", err)
	}
	if n := len(a.Members()); n != 1 {
		t.Errorf("the cluster has %d members, want 1", n)
	}
}

func TestGossipBeyondLoopbackNeedsASecret(t *testing.T) {
	if _, err := New(Options{Name: "s1", Bind: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestMembersThatDoNotFitAreNamed: the words a refused member ends with name
// both values.
func TestMembersThatDoNotFitAreNamed(t *testing.T) {
	mine := meta{version: 1, constants: 0xaa, logID: "log-a", Member: Member{Name: "s1", Role: RoleShard, State: StateActive}}
	for name, c := range map[string]struct {
		change func(*meta)
		words  []string
	}{
		"fits":            {func(*meta) {}, nil},
		"no log to name":  {func(m *meta) { m.logID = "" }, nil},
		"other version":   {func(m *meta) { m.version = 2 }, []string{"s1", "s2", "version 2", "speaks 1"}},
		"other constants": {func(m *meta) { m.constants = 0xbb }, []string{"s1", "s2", "aa", "bb", "constants"}},
		"other log":       {func(m *meta) { m.logID = "log-b" }, []string{"s1", "s2", "log-a", "log-b"}},
	} {
		other := mine
		other.Name = "s2"
		c.change(&other)
		err := mine.compatible(other)
		if (err == nil) != (c.words == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not name %q", name, err, w)
			}
		}
	}
}
