package app

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/client"
	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/membership/membershiptest"
	"positivity-exchange/shard/roomlog/memlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is whole shards and routers on a network and a room log in memory,
// on a fake clock.
type cluster struct {
	t       *testing.T
	network *membershiptest.Network
	store   *memlog.Store
	members map[string]*simulated
	seeds   []string
	clients []*client.Session
}

// simulated is one member process.
type simulated struct {
	host   *membershiptest.Host
	log    *memlog.Log
	client string // address
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

func simulate(t *testing.T, f func(t *testing.T, c *cluster)) {
	if raceEnabled {
		t.Skip("the race detector's runtime crashes in large bubbles (golang/go issue 78156)")
	}
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, network: membershiptest.New(1), store: memlog.NewStore(), members: map[string]*simulated{}}
		defer func() {
			c.network.Heal()
			for _, s := range c.clients {
				s.Close() //nolint:errcheck // never fails
			}
			for _, m := range c.members {
				m.stop()
			}
			time.Sleep(10 * time.Second) // the gossip library leaves probes to their timeouts
		}()
		f(t, c)
	})
}

func (m *simulated) stop() {
	m.cancel()
	m.ended.Wait()
}

// start runs a shard (named s...) or a router until it is ready.
func (c *cluster) start(name string) *simulated {
	c.t.Helper()
	host := c.network.Host()
	m := &simulated{host: host, log: c.store.Open()}
	cfg := Config{Name: name, Secret: hex.EncodeToString(make([]byte, 32)), Listen: host.IP() + ":0", HTTP: host.IP() + ":0", Gossip: host.GossipAddr(), Join: c.seeds, Alone: true, Network: host}
	type member interface {
		Run(context.Context) error
		Ready() <-chan struct{}
		Self() membership.Member
	}
	var run member
	var err error
	if strings.HasPrefix(name, "s") {
		run, err = NewShard(cfg, m.log)
	} else {
		run, err = NewRouter(cfg, m.log)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.ended.Go(func() { run.Run(ctx) }) //nolint:errcheck // ends with ctx
	select {
	case <-run.Ready():
	case <-time.After(30 * time.Second):
		c.t.Fatalf("%s is not ready", name)
	}
	m.client = run.Self().Client
	c.members[name] = m
	c.seeds = append(c.seeds, host.GossipAddr())
	return m
}

// kill ends a member as SIGKILL does: nothing is released, nobody is told.
func (c *cluster) kill(name string) {
	m := c.members[name]
	m.host.Kill()
	m.log.Cut(true)
	m.stop()
	delete(c.members, name)
}

// connect logs a client in at the first of routers that answers.
func (c *cluster) connect(user string, routers ...string) *client.Session {
	c.t.Helper()
	host := c.network.Host()
	var addrs []string
	for _, name := range routers {
		addrs = append(addrs, c.members[name].client)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := client.Connect(ctx, client.Options{Routers: addrs, User: user, Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, comms.DialTimeout)
		defer cancel()
		return host.Dial(ctx, addr)
	}})
	if err != nil {
		c.t.Fatalf("%s: %v", user, err)
	}
	c.clients = append(c.clients, s)
	return s
}

// drain reads a session's events for a test that does not need them.
func drain(s *client.Session) {
	go func() {
		for range s.Events() { //nolint:revive // not needed
		}
	}()
}

// epochs are the owner records' epochs of the partitions of rooms.
func (c *cluster) epochs(rooms []string) map[int]uint64 {
	c.t.Helper()
	log := c.store.Open()
	epochs := map[int]uint64{}
	for _, name := range rooms {
		p := membership.Partition(name)
		o, err := log.Owner(context.Background(), p)
		if err != nil {
			c.t.Fatal(err)
		}
		epochs[p] = o.Epoch
	}
	return epochs
}

// speaker is a client that speaks in a room as fast as it is acknowledged, at
// most ten times a second, and notes the slowest acknowledgement.
type speaker struct {
	sent    int
	slowest time.Duration
	err     error
}

func speak(ctx context.Context, s *client.Session, room string) *speaker {
	sp := &speaker{}
	var events sync.WaitGroup
	stop, cancel := context.WithCancel(ctx)
	events.Go(func() {
		for {
			select {
			case <-s.Events():
			case <-stop.Done():
				return
			}
		}
	})
	defer events.Wait()
	defer cancel()
	if sp.err = s.Join(ctx, room, nil); sp.err != nil {
		return sp
	}
	for ctx.Err() == nil {
		start := time.Now()
		_, err := s.Send(context.WithoutCancel(ctx), room, fmt.Sprint(sp.sent))
		if err != nil {
			sp.err = err
			return sp
		}
		sp.sent++
		sp.slowest = max(sp.slowest, time.Since(start))
		time.Sleep(100 * time.Millisecond)
	}
	return sp
}

// TestSplitGossipSharedLog parts two halves of a cluster that go on sharing the
// room log, gossip and member connections alike, while clients reach everybody.
// Nobody may fight over a partition, and everybody must be served.
func TestSplitGossipSharedLog(t *testing.T) {
	simulate(t, func(t *testing.T, c *cluster) {
		for _, name := range []string{"s1", "s2", "s3", "s4", "r1", "r2"} {
			c.start(name)
		}
		rooms := strings.Fields("general go rust music tea help books games")
		all := append(rooms, strings.Fields("food jobs python web databases networks operations security")...)
		talking, stop := context.WithCancel(context.Background())
		defer stop()
		var wg sync.WaitGroup
		speakers := map[string]*speaker{}
		var mu sync.Mutex
		for i, room := range rooms {
			for n, router := range []string{"r1", "r2"} {
				s := c.connect(fmt.Sprintf("u%d-%d", i, n), router)
				wg.Go(func() {
					sp := speak(talking, s, room)
					mu.Lock()
					speakers[room+" at "+router] = sp
					mu.Unlock()
				})
			}
		}
		time.Sleep(5 * time.Second)
		before := c.epochs(all)
		for _, a := range []string{"s1", "s2", "r1"} {
			for _, b := range []string{"s3", "s4", "r2"} {
				c.network.Cut(c.members[a].host, c.members[b].host)
			}
		}
		// Those who come meanwhile, to rooms used and never used, find the same
		// owner from both sides.
		visit := func(round int) {
			for i, room := range all[round%4*4:][:4] {
				for n, router := range []string{"r1", "r2"} {
					s := c.connect(fmt.Sprintf("v%d-%d-%d", round, i, n), router)
					visiting, leave := context.WithTimeout(talking, 3*time.Second)
					wg.Go(func() {
						defer leave()
						sp := speak(visiting, s, room)
						s.Close() //nolint:errcheck // never fails
						mu.Lock()
						speakers[fmt.Sprintf("visitor %d of %s at %s", round, room, router)] = sp
						mu.Unlock()
					})
				}
			}
		}
		for round := range 12 {
			visit(round)
			time.Sleep(5 * time.Second)
		}
		after := c.epochs(all)
		changes := 0
		for p, epoch := range after {
			changes += int(epoch - before[p])
			if epoch > before[p]+1 {
				t.Errorf("partition %d changed its owner %d times", p, epoch-before[p])
			}
		}
		c.network.Heal()
		time.Sleep(10 * time.Second)
		stop()
		wg.Wait()
		sent := 0
		var slowest time.Duration
		for who, sp := range speakers {
			sent += sp.sent
			slowest = max(slowest, sp.slowest)
			if sp.err != nil || sp.sent == 0 || sp.slowest > 5*time.Second {
				t.Errorf("%s: %d sent, the slowest took %s, %v", who, sp.sent, sp.slowest, sp.err)
			}
		}
		t.Logf("%d partitions changed their owner %d times in 60 s; %d messages, slowest acknowledgement %s", len(after), changes, sent, slowest)
	})
}

// TestShardKilledBeforeAnybodySawIt: it took a partition and died, and those who
// are left never heard of it by gossip.
func TestShardKilledBeforeAnybodySawIt(t *testing.T) {
	simulate(t, func(t *testing.T, c *cluster) {
		c.start("s1")
		c.start("r1")
		s := c.connect("ada", "r1")
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		drain(s)
		if err := s.Join(ctx, "tea", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(ctx, "tea", "before"); err != nil {
			t.Fatal(err)
		}
		c.kill("s1")
		c.seeds = nil // a cluster that has never heard of s1
		c.kill("r1")
		c.start("s2")
		c.start("r2")
		start := time.Now()
		s = c.connect("bob", "r2")
		drain(s)
		if err := s.Join(ctx, "tea", nil); err != nil {
			t.Fatal(err)
		}
		m, err := s.Send(ctx, "tea", "after")
		if err != nil || m.Seq != 2 {
			t.Fatalf("%+v, %v", m, err)
		}
		took := time.Since(start)
		t.Logf("served again after %s", took)
		if took > 3*time.Second {
			t.Error("that is more than 3 s")
		}
	})
}

// TestAcquireWhoseAnswerWasLost: the record names a shard that does not know it.
func TestAcquireWhoseAnswerWasLost(t *testing.T) {
	simulate(t, func(t *testing.T, c *cluster) {
		for _, name := range []string{"s1", "s2", "r1"} {
			c.start(name)
		}
		s := c.connect("ada", "r1")
		drain(s)
		for _, m := range c.members {
			m.log.LoseAnswers(1)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, room := range []string{"tea", "go"} {
			start := time.Now()
			if err := s.Join(ctx, room, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Send(ctx, room, "x"); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			t.Logf("#%s was served after %s", room, took)
			if took > 3*time.Second {
				t.Error("that is more than 3 s")
			}
		}
	})
}
