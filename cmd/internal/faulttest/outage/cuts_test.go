package outage

import (
	"fmt"
	"testing"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/cmd/internal/faulttest/netns"
)

// TestCuts runs the cuts one after another under one conversation.
func TestCuts(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"s1", "s2", "s3", "r1", "r2"} {
		c.start(name)
	}
	t.Logf("one table after %s", c.awaitOneTable(5*time.Second))
	l := talk(t, 10, c.routers())
	l.awaitAll(5 * time.Second)
	shards, routers := c.addrs("s1", "s2", "s3"), c.addrs("r1", "r2")
	cut := func(cut netns.Cut) func() error {
		return func() error { _, err := c.net.Cut(cut); return err }
	}
	gossip := []int{gossipPort}
	all := append(append([]string{}, shards...), routers...)
	for _, n := range []struct {
		name string
		do   func() error
		long time.Duration
		// hard: who is cut off serves nobody; else people go on
		hard bool
	}{
		{"loss 20", func() error { return c.net.LoseUDP(20) }, 4 * time.Second, false},
		{"alone", func() error { return c.net.Isolate(c.nodes["s2"].Machine) }, 6 * time.Second, true},
		{"halves", cut(netns.Cut{From: c.addrs("s1", "r1"), To: c.addrs("s2", "s3", "r2"), Both: true}), 6 * time.Second, false},
		{"gossip cut", cut(netns.Cut{From: all, To: all, Ports: gossip}), 6 * time.Second, false},
		{"one way", cut(netns.Cut{From: c.addrs("s1"), To: c.addrs("s2", "s3", "r1", "r2")}), 6 * time.Second, false},
		{"bridge", cut(netns.Cut{From: c.addrs("s1"), To: c.addrs("s3"), Both: true}), 6 * time.Second, false},
		{"routers", cut(netns.Cut{From: routers, To: shards, Both: true}), 6 * time.Second, false},
	} {
		before := c.acquired()
		over := l.fault(n.name, "")
		if err := n.do(); err != nil {
			t.Fatal(err)
		}
		pass(t.Context(), n.long/2)
		took := l.awaitAll(6 * time.Second)
		pass(t.Context(), n.long/2)
		if err := c.net.Heal(); err != nil {
			t.Fatal(err)
		}
		over()
		heal := c.awaitOneTable(5 * time.Second)
		again := l.awaitAll(5 * time.Second)
		moved, most := 0, 0
		for p, k := range c.acquired() {
			if k > before[p] {
				moved++
				most = max(most, k-before[p])
			}
		}
		t.Logf("%s: all acknowledge during it after %s, one table after %s, all acknowledge after it after %s; %d partitions moved, at most %d times", n.name, took, heal, again, moved, most)
	}
	report := l.settle(c.routers())
	worst := map[string]checker.Pause{}
	for _, p := range report.Pauses(func(string) bool { return true }) {
		if name := p.Event.Name; name != "" && p.Took >= worst[name].Took {
			worst[name] = p
		}
	}
	for name, p := range worst {
		t.Logf("%s: worst pause %s in #%s", name, p.Took, p.Room)
	}
	_ = fmt.Sprint()
}
