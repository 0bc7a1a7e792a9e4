package faulttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"positivity-exchange/cmd/internal/faulttest/netns"
)

// healWithin is how long a cluster may take to one table once a cut is whole.
const healWithin = 5 * time.Second

// goesOn is what people may notice of a cut that leaves a way from them to
// every shard, and from every shard to the log.
var goesOn = Limits{Max: 500 * time.Millisecond}

// changesOnce is what they may notice where tables differ for good: a partition
// may change its owner once, whom no two members agree about, and its rooms
// pause as behind a silent shard (2 s seen).
var changesOnce = Limits{Max: 5 * time.Second}

func netNemeses() []Nemesis {
	on := func(n Nemesis) Nemesis {
		n.Needs, n.Least, n.Most = onNetwork, 4*time.Second, 8*time.Second
		if n.Limits == silence { // longer than the pause that is allowed
			n.Least, n.Most = 7*time.Second, 10*time.Second
		}
		return n
	}
	return []Nemesis{
		on(Nemesis{Name: "loss-5", Limits: goesOn, Others: goesOn, Still: true, Run: loss(5)}),
		on(Nemesis{Name: "loss-20", Limits: goesOn, Others: goesOn, Still: true, Run: loss(20)}),
		on(Nemesis{Name: "loss-50", Limits: goesOn, Others: goesOn, Run: loss(50)}),
		on(Nemesis{Name: "alone", Limits: silence, Others: others, Run: alone}),
		on(Nemesis{Name: "halves", Limits: goesOn, Others: goesOn, Run: halves}),
		on(Nemesis{Name: "routers-cut", Limits: goesOn, Others: goesOn, Run: routersFromShards}),
		on(Nemesis{Name: "gossip-cut", Limits: changesOnce, Others: changesOnce, Run: gossipCut}),
		on(Nemesis{Name: "one-way", Limits: goesOn, Others: goesOn, Run: oneWay}),
		on(Nemesis{Name: "bridge", Limits: goesOn, Others: goesOn, Run: bridge}),
		on(Nemesis{Name: "swizzle", Limits: goesOn, Others: goesOn, Run: swizzle}),
	}
}

func onNetwork(c *Cluster) string {
	switch {
	case c.opts.Site == nil:
		return "its processes are on no network of their own"
	case len(c.Live("shard")) < 3 || len(c.Live("router")) == 0:
		return "it needs three shards and a router"
	}
	return ""
}

// loss drops UDP at random. Up to 20 % nobody may be taken for dead.
func loss(percent int) func(context.Context, *Episode) error {
	return func(ctx context.Context, e *Episode) error {
		before, err := e.Cluster.OneTable(ctx)
		if err != nil && e.alone {
			return err // else another episode is at work
		}
		e.Began("all")
		heal, err := e.Cluster.opts.Site.Net.LoseUDP(percent)
		if err != nil {
			return err
		}
		changes := 0
		for end := time.Now().Add(e.Length); time.Now().Before(end) && ctx.Err() == nil; pass(ctx, 50*time.Millisecond) {
			if now, err := e.Cluster.OneTable(ctx); err == nil && now != before {
				changes++
			}
		}
		err = heal()
		e.Note("%d looks at all tables found them otherwise than before", changes)
		if changes > 0 && percent <= 20 && e.alone {
			err = errors.Join(err, fmt.Errorf("somebody was taken for dead at a loss of %d %%", percent))
		}
		return errors.Join(err, e.heals(ctx))
	}
}

// alone takes a shard's cable off the bridge: nobody reaches it, people
// neither; it reaches its log where that is a file.
func alone(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	m, err := e.Cluster.opts.Site.Machine(p.Name)
	if err != nil {
		return err
	}
	net := e.Cluster.opts.Site.Net
	e.Began(p.Name)
	if err := net.Isolate(m); err != nil {
		return err
	}
	pass(ctx, e.Length)
	return errors.Join(net.Rejoin(m), e.heals(ctx))
}

// halves parts shards and routers at random into two.
func halves(ctx context.Context, e *Episode) error {
	all := append(e.Cluster.Live("shard"), e.Cluster.Live("router")...)
	e.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	a, b := all[:len(all)/2], all[len(all)/2:]
	site := e.Cluster.opts.Site
	return e.cut(ctx, []*Process{}, names(a)+" from "+names(b), netns.Cut{From: site.addrs(a...), To: site.addrs(b...), Both: true})
}

func routersFromShards(ctx context.Context, e *Episode) error {
	site := e.Cluster.opts.Site
	return e.cut(ctx, nil, "routers from shards", netns.Cut{From: site.addrs(e.Cluster.Live("router")...), To: site.addrs(e.Cluster.Live("shard")...), Both: true})
}

// gossipCut parts everybody from everybody in gossip; the log, people and
// members' other questions get through. No partition may change its owner more
// than once, however long it lasts.
func gossipCut(ctx context.Context, e *Episode) error {
	all := e.Cluster.opts.Site.addrs(append(e.Cluster.Live("shard"), e.Cluster.Live("router")...)...)
	return e.cut(ctx, nil, "gossip of all", netns.Cut{From: all, To: all, Ports: allGossipPorts()})
}

// oneWay: a shard hears the others, who do not hear it.
func oneWay(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(append(e.Cluster.Live("shard"), e.Cluster.Live("router")...), func(q *Process) bool { return q == p })
	site := e.Cluster.opts.Site
	return e.cut(ctx, []*Process{p}, p.Name, netns.Cut{From: site.addrs(p), To: site.addrs(rest...)})
}

// bridge: two shards do not reach each other; everybody else reaches both.
func bridge(ctx context.Context, e *Episode) error {
	all := e.Cluster.Live("shard")
	e.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	site := e.Cluster.opts.Site
	return e.cut(ctx, nil, all[0].Name+" from "+all[1].Name, netns.Cut{From: site.addrs(all[0]), To: site.addrs(all[1]), Both: true})
}

// swizzle cuts all shards and routers off each other one by one, and heals them
// one by one in another order.
func swizzle(ctx context.Context, e *Episode) error {
	all := append(e.Cluster.Live("shard"), e.Cluster.Live("router")...)
	site := e.Cluster.opts.Site
	e.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	e.Began(names(all))
	step := e.Length / time.Duration(2*len(all))
	heals := make([]func() error, len(all))
	var errs []error
	for i, p := range all {
		rest := slices.DeleteFunc(slices.Clone(all), func(q *Process) bool { return q == p })
		heal, err := site.Net.Cut(netns.Cut{From: site.addrs(p), To: site.addrs(rest...), Both: true})
		errs = append(errs, err)
		if heal != nil {
			heals[i] = heal
		}
		pass(ctx, step)
	}
	for _, i := range e.Rand.Perm(len(all)) {
		if heals[i] != nil {
			errs = append(errs, heals[i]())
		}
		pass(ctx, step)
	}
	return errors.Join(append(errs, e.heals(ctx))...)
}

// cut applies a cut for the episode's length. Partitions may change their owner
// once meanwhile.
func (e *Episode) cut(ctx context.Context, hit []*Process, what string, c netns.Cut) error {
	targets := what
	if len(hit) > 0 {
		targets = names(hit)
	}
	before := e.Cluster.acquisitions()
	e.Began(targets)
	heal, err := e.Cluster.opts.Site.Net.Cut(c)
	if err != nil {
		return err
	}
	pass(ctx, e.Length)
	moved, most := 0, 0
	for p, n := range e.Cluster.acquisitions() {
		if n -= before[p]; n > 0 {
			moved++
			most = max(most, n)
		}
	}
	err = heal()
	e.Note("%s: %d partitions were acquired meanwhile, one of them %d times", what, moved, most)
	if most > 1 && e.alone {
		err = errors.Join(err, fmt.Errorf("ping-pong: a partition changed its owner %d times while %s were cut", most, what))
	}
	return errors.Join(err, e.heals(ctx))
}

// heals waits until all have one table again, as they must within healWithin
// where nothing else goes on.
func (e *Episode) heals(ctx context.Context) error {
	start := time.Now()
	var why error
	var slowest time.Duration // look at all tables: what the machine adds
	err := until(ctx, 2*healWithin, "single table", func() bool {
		look := time.Now()
		_, why = e.Cluster.OneTable(ctx)
		slowest = max(slowest, time.Since(look))
		return why == nil
	})
	took := time.Since(start)
	e.Note("one table %s after the heal", took.Round(time.Millisecond))
	switch {
	case !e.alone:
		return nil
	case err != nil:
		return fmt.Errorf("I8 one table: %w: %w", err, why)
	case took > judged(healWithin)+slowest:
		return fmt.Errorf("I8 one table: %s after the heal, at most %s is allowed and a look at all of them takes up to %s", took.Round(time.Millisecond), healWithin, slowest.Round(time.Millisecond))
	}
	return nil
}

// acquisitions counts how often each partition was acquired so far, as shards log it.
func (c *Cluster) acquisitions() map[string]int {
	count := map[string]int{}
	for _, p := range c.All() {
		for line := range strings.Lines(p.Logged()) {
			if _, rest, ok := strings.Cut(line, "msg=acquired "); ok {
				count[word(rest, "partition")]++
			}
		}
	}
	return count
}

func names(list []*Process) string {
	var b []string
	for _, p := range list {
		b = append(b, p.Name)
	}
	return strings.Join(b, ",")
}
