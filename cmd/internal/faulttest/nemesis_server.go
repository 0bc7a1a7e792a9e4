package faulttest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func serverNemeses() []Nemesis {
	return []Nemesis{
		{Name: "router", Least: 2 * time.Second, Most: 5 * time.Second, Limits: others, Others: others, Still: true, Run: killRouter},
		{Name: "routers", Least: 5 * time.Second, Most: 5 * time.Second, Limits: others, Others: others, Still: true, Run: killRouters},
		{Name: "nats", Least: 4 * time.Second, Most: 8 * time.Second, Limits: Limits{Max: 15 * time.Second}, Needs: needsNATS, Run: killNATS},
		{Name: "nats-and-shard", Least: 4 * time.Second, Most: 8 * time.Second, Limits: Limits{Max: 15 * time.Second}, Needs: needsNATS, Run: killNATSAndShard},
		{Name: "suspend", Least: 3 * time.Second, Most: 5 * time.Second, Limits: Limits{Max: 6 * time.Second}, Needs: needsUp, Still: true, Run: suspend},
	}
}

// killRouter kills one router; rooms go on.
func killRouter(ctx context.Context, e *Episode) error { return e.killRouters(ctx, 1) }

// killRouters kills all of them at once.
func killRouters(ctx context.Context, e *Episode) error {
	return e.killRouters(ctx, len(e.Cluster.Live("router")))
}

func (e *Episode) killRouters(ctx context.Context, n int) error {
	list := e.Cluster.Live("router")
	e.Rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var mine []*Process
	for _, p := range list {
		if len(mine) < n && e.Claim(p) {
			mine = append(mine, p)
		}
	}
	if len(mine) == 0 {
		return errBusy
	}
	var names []string
	for _, p := range mine {
		names = append(names, p.Name)
	}
	e.Began(names...)
	for _, p := range mine {
		p.Kill()
	}
	pass(ctx, e.Length)
	var errs []error
	for _, p := range mine {
		_, err := e.Cluster.StartRouter(p.Name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func needsNATS(c *Cluster) string {
	if len(c.NATS()) < 3 {
		return "it needs a room log on three NATS servers"
	}
	return ""
}

// killNATS kills one of the servers of the room log, which leads some of its
// streams, and starts it again.
func killNATS(ctx context.Context, e *Episode) error { return e.killNATS(ctx, nil) }

// killNATSAndShard does so together with a shard, as when a machine loses its power.
func killNATSAndShard(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	err = e.killNATS(ctx, p)
	_, again := e.Cluster.StartShard(p.Name)
	return errors.Join(err, again)
}

func (e *Episode) killNATS(ctx context.Context, with *Process) error {
	if !e.Cluster.claimNATS() {
		return errBusy
	}
	defer e.Cluster.unclaimNATS()
	servers := e.Cluster.NATS()
	s := servers[e.Rand.IntN(len(servers))]
	names := []string{s.Config.Name}
	if with != nil {
		names = append(names, with.Name)
	}
	e.Began(names...)
	s.Kill()
	if with != nil {
		with.Kill()
	}
	pass(ctx, e.Length)
	return s.Run()
}

func needsUp(c *Cluster) string {
	if len(c.Live("up")) == 0 {
		return "it needs a px up"
	}
	return ""
}

// suspend stops a whole px up, as Ctrl-Z does, and lets it go on.
func suspend(ctx context.Context, e *Episode) error {
	p, err := e.first(e.Cluster.Live("up"))
	if err != nil {
		return err
	}
	if err := p.Freeze(ctx); err != nil {
		p.Thaw()
		return err
	}
	var shards []string
	for i := range e.Cluster.opts.Shards {
		shards = append(shards, fmt.Sprint("s", i+1))
	}
	e.Began(shards...)
	pass(ctx, e.Length)
	p.Thaw()
	return nil
}
