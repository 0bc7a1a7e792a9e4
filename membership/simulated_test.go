package membership_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/membership/membershiptest"
)

// simulation is a cluster in memory, on a fake clock.
type simulation struct {
	t       *testing.T
	network *membershiptest.Network
	seeds   []string
	members []*simulated
}

type simulated struct {
	*membership.Cluster
	host   *membershiptest.Host
	cancel context.CancelFunc
	ended  sync.WaitGroup
	err    error
}

// simulate runs f in a bubble and ends the cluster at its end.
func simulate(t *testing.T, f func(t *testing.T, s *simulation)) {
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{t: t, network: membershiptest.New(1)}
		defer func() {
			for _, m := range s.members {
				m.stop()
			}
			time.Sleep(10 * time.Second) // the library leaves probes and dials to their timeouts
		}()
		f(t, s)
	})
}

// start runs a member and waits until it is active.
func (s *simulation) start(name string, change ...func(*membership.Options)) *simulated {
	s.t.Helper()
	m := s.launch(name, change...)
	select {
	case <-m.Ready():
		m.SetState(membership.StateActive)
	case <-time.After(30 * time.Second):
		s.t.Fatalf("%s is not ready", name)
	}
	return m
}

func (s *simulation) launch(name string, change ...func(*membership.Options)) *simulated {
	s.t.Helper()
	host := s.network.Host()
	transport, err := host.Transport()
	if err != nil {
		s.t.Fatal(err)
	}
	opts := membership.Options{Name: name, Role: membership.RoleShard, Client: host.IP() + ":1", Bind: host.GossipAddr(), Join: s.seeds, Transport: transport, LogID: "log"}
	for _, c := range change {
		c(&opts)
	}
	c, err := membership.New(opts)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &simulated{Cluster: c, host: host, cancel: cancel}
	m.ended.Go(func() { m.err = m.Run(ctx) })
	s.members = append(s.members, m)
	if len(s.seeds) < 2 {
		s.seeds = append(s.seeds, host.GossipAddr())
	}
	return m
}

// stop ends a member as the end of its process does.
func (m *simulated) stop() {
	m.cancel()
	m.ended.Wait()
}

func (m *simulated) kill() {
	m.host.Kill()
	m.stop()
}

// agree tells whether all have one table of n shards.
func agree(n int, members ...*simulated) func() bool {
	return func() bool {
		for _, m := range members {
			if m.Table().Version() != members[0].Table().Version() {
				return false
			}
		}
		return len(members[0].Table().Shards()) == n
	}
}

func TestStatesInAndOutOfTheTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		a := s.start("s1")
		b := s.launch("s2")
		<-b.Ready()
		time.Sleep(2 * time.Second)
		if n := len(a.Table().Shards()); n != 1 {
			t.Errorf("a joining shard is in the table of %d", n)
		}
		b.SetState(membership.StateActive)
		took := membershiptest.Within(t, "the join", time.Second, agree(2, a, b))
		t.Logf("joined everywhere after %s", took)
		b.SetState(membership.StateDraining)
		membershiptest.Within(t, "the drain", time.Second, agree(1, a, b))
		if !a.Alive(b.Self().Boot) {
			t.Error("a draining shard is not alive")
		}
		b.SetState(membership.StateActive)
		membershiptest.Within(t, "the return", time.Second, agree(2, a, b))
		b.Leave()
		took = membershiptest.Within(t, "the leave", time.Second, agree(1, a))
		if a.Alive(b.Self().Boot) {
			t.Error("who has left is alive")
		}
		t.Logf("left everywhere after %s", took)
	})
}

// TestLeaveBesideTheEndOfRun: a member may lose its name on the roll, which ends
// Run, while it drains and is about to leave.
func TestLeaveBesideTheEndOfRun(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		a, b, c := s.start("s1"), s.start("s2"), s.start("s3")
		membershiptest.Within(t, "one table", 2*time.Second, agree(3, a, b, c))
		b.stop()
		b.Leave()
		b.SetState(membership.StateActive)
		for after := range 20 {
			m := s.start(fmt.Sprint("m", after))
			var leaving sync.WaitGroup
			leaving.Go(m.Leave)
			time.Sleep(time.Duration(after) * 30 * time.Millisecond)
			m.stop()
			leaving.Wait()
		}
		membershiptest.Within(t, "the rest", 5*time.Second, agree(2, a, c))
	})
}

func TestKilledMemberIsKnownDead(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		var all []*simulated
		for i := range 5 {
			all = append(all, s.start(fmt.Sprint("s", i)))
		}
		membershiptest.Within(t, "one table", 2*time.Second, agree(5, all...))
		all[4].kill()
		took := membershiptest.Within(t, "the death", 3*time.Second, agree(4, all[:4]...))
		t.Logf("known everywhere after %s", took)
		if all[0].Alive(all[4].Self().Boot) {
			t.Error("the killed one is alive")
		}
	})
}

// TestPartitionHeals: the library alone never heals one.
func TestPartitionHeals(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		var all []*simulated
		for i := range 6 {
			all = append(all, s.start(fmt.Sprint("s", i)))
		}
		t.Logf("one table after %s", membershiptest.Within(t, "one table", 2*time.Second, agree(6, all...)))
		for _, a := range all[:3] {
			for _, b := range all[3:] {
				s.network.Cut(a.host, b.host)
			}
		}
		membershiptest.Within(t, "two tables", 10*time.Second, func() bool { return agree(3, all[:3]...)() && agree(3, all[3:]...)() })
		time.Sleep(30 * time.Second)
		s.network.Heal()
		took := membershiptest.Within(t, "the heal", 5*time.Second, agree(6, all...))
		t.Logf("healed after %s", took)
	})
}

func TestLossKillsNobody(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		var all []*simulated
		for i := range 5 {
			all = append(all, s.start(fmt.Sprint("s", i)))
		}
		membershiptest.Within(t, "one table", 2*time.Second, agree(5, all...))
		s.network.Lose(0.2)
		for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(50 * time.Millisecond) {
			if !agree(5, all...)() {
				t.Fatalf("a death after %s at 20 %% loss", time.Since(start))
			}
		}
	})
}

// TestAShortSilenceIsNoDeathForAnybody: a suspected member's denial must reach
// all; where it does not, it is dead one or two seconds later.
func TestAShortSilenceIsNoDeathForAnybody(t *testing.T) {
	for _, size := range []int{5, 9, 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *simulation) {
				var all []*simulated
				for i := range size {
					all = append(all, s.start(fmt.Sprint("s", i)))
				}
				membershiptest.Within(t, "one table", 2*time.Second, agree(size, all...))
				time.Sleep(3 * time.Second) // what was told of the boot is a denial's rival no more
				const silences = 100
				for n := range silences {
					for _, m := range all {
						if silent := all[n%size]; m != silent {
							s.network.Cut(silent.host, m.host)
						}
					}
					time.Sleep(600 * time.Millisecond)
					s.network.Heal()
					for start := time.Now(); time.Since(start) < 3*time.Second; time.Sleep(50 * time.Millisecond) {
						if !agree(size, all...)() {
							t.Fatalf("silence %d of 600 ms: a death", n+1)
						}
					}
				}
			})
		})
	}
}

func TestFastRestartIsALeaveAndAJoin(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		a, b := s.start("s1"), s.start("s2")
		membershiptest.Within(t, "one table", time.Second, agree(2, a, b))
		old := b.Self().Boot
		b.kill()
		again := s.start("s2")
		took := membershiptest.Within(t, "the new boot", time.Second, func() bool {
			for _, m := range a.Table().Shards() {
				if m.Boot == again.Self().Boot {
					return true
				}
			}
			return false
		})
		t.Logf("the new boot serves after %s", took)
		if n := len(a.Table().Shards()); n != 2 {
			t.Errorf("the table has %d shards", n)
		}
		membershiptest.Within(t, "the old boot's death", 5*time.Second, func() bool { return !a.Alive(old) })
	})
}

func TestCutShardsLeaveTheTableUnlessAllAre(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		a, b := s.start("s1"), s.start("s2")
		membershiptest.Within(t, "one table", time.Second, agree(2, a, b))
		b.SetCut(true)
		membershiptest.Within(t, "the cut", time.Second, agree(1, a, b))
		if a.Alive(b.Self().Boot) {
			t.Error("who is cut off from the log counts as alive")
		}
		a.SetCut(true)
		membershiptest.Within(t, "all cut", time.Second, agree(2, a, b))
		a.SetCut(false)
		b.SetCut(false)
		membershiptest.Within(t, "the end of it", time.Second, agree(2, a, b))
	})
}

// links is a Linker whose answers a test sets.
type links struct {
	mu    sync.Mutex
	err   error
	links []*fakeLink
}

type fakeLink struct{ done chan struct{} }

func (l *fakeLink) Done() <-chan struct{} { return l.done }
func (l *fakeLink) Close() error          { return nil }

func (l *links) Link(context.Context, string, string) (membership.Link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	link := &fakeLink{make(chan struct{})}
	l.links = append(l.links, link)
	return link, nil
}

// set makes all further dials fail with err and breaks the links that stand.
func (l *links) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	for _, link := range l.links {
		close(link.done)
	}
	l.links = nil
}

func TestRefusedConnectionMeansDeadAtOnce(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		l := &links{}
		a := s.start("s1", func(o *membership.Options) { o.Linker = l })
		b := s.start("s2")
		membershiptest.Within(t, "one table", time.Second, agree(2, a, b))
		for _, err := range []error{fmt.Errorf("dial: %w", syscall.ECONNREFUSED), fmt.Errorf("hello: %w", membership.ErrOtherBoot)} {
			time.Sleep(time.Second)
			l.set(err)
			took := membershiptest.Within(t, "dead by a refusal", 100*time.Millisecond, func() bool { return !a.Alive(b.Self().Boot) })
			gone := membershiptest.Within(t, "out of the table", 100*time.Millisecond, func() bool { return len(a.Table().Shards()) == 1 })
			t.Logf("%v: dead after %s, out of the table %s later", err, took, gone)
			l.set(nil)
			membershiptest.Within(t, "alive again", 2*time.Second, func() bool { return a.Alive(b.Self().Boot) && len(a.Table().Shards()) == 2 })
		}
		// An error that is no refusal tells nothing.
		l.set(errors.New("timed out"))
		time.Sleep(time.Second)
		if !a.Alive(b.Self().Boot) {
			t.Error("a dial that timed out killed a living shard")
		}
	})
}

func TestTwoBootsOfOneNameTheNewestCounts(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		a := s.start("s1")
		older := s.start("s2", func(o *membership.Options) { o.Boot = "0001-a" })
		newer := s.start("s2", func(o *membership.Options) { o.Boot = "0002-b" })
		membershiptest.Within(t, "one table", time.Second, agree(2, a, older, newer))
		for _, m := range a.Table().Shards() {
			if m.Name == "s2" && m.Boot != "0002-b" {
				t.Errorf("the table has boot %s", m.Boot)
			}
		}
	})
}

func TestNobodyAtTheAddressToJoinIsAWarning(t *testing.T) {
	simulate(t, func(t *testing.T, s *simulation) {
		late := s.network.Host()
		s.seeds = []string{late.GossipAddr()}
		a := s.start("s1")
		time.Sleep(10 * time.Second)
		transport, err := late.Transport()
		if err != nil {
			t.Fatal(err)
		}
		b, err := membership.New(membership.Options{Name: "s2", Role: membership.RoleShard, Client: "c:1", Bind: late.GossipAddr(), Transport: transport, LogID: "log"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		ended.Go(func() { b.Run(ctx) }) //nolint:errcheck // ends with ctx
		defer ended.Wait()
		defer cancel()
		membershiptest.Within(t, "they find each other", 6*time.Second, func() bool { return len(a.Members()) == 2 })
	})
}
