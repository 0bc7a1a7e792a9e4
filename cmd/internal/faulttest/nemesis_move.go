package faulttest

import (
	"context"
	"fmt"
	"time"
)

// mostShards is how many shards a run has at most.
const mostShards = 5

func moveNemeses() []Nemesis {
	return []Nemesis{
		{Name: "join", Least: 2 * time.Second, Most: 6 * time.Second, Limits: planned, Run: join},
		{Name: "drain", Least: 2 * time.Second, Most: 6 * time.Second, Limits: planned, Run: drain},
		{Name: "rolling", Least: time.Second, Most: 3 * time.Second, Limits: planned, Run: rolling},
	}
}

// join lets a shard join; where there are enough, the newest one leaves first.
func join(ctx context.Context, e *Episode) error {
	if live := e.Cluster.Live("shard"); len(live) >= mostShards {
		p := live[len(live)-1]
		if !e.Claim(p) {
			return errBusy
		}
		if err := p.Terminate(drainWithin); err != nil {
			return err
		}
	}
	name := e.Cluster.freeName()
	e.Began(name)
	_, err := e.Cluster.StartShard(name)
	pass(ctx, e.Length)
	return err
}

// drain lets a shard leave (SIGTERM) and, later, come back.
func drain(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	e.Began(p.Name)
	start := time.Now()
	if err := p.Terminate(drainWithin); err != nil {
		return err
	}
	e.Note("%s had left after %s", p.Name, time.Since(start).Round(time.Millisecond))
	pass(ctx, e.Length)
	_, err = e.Cluster.StartShard(p.Name)
	return err
}

// rolling ends every shard in order and starts it again, twice.
func rolling(ctx context.Context, e *Episode) error {
	for range 2 {
		for _, p := range e.Cluster.Live("shard") {
			if !e.Claim(p) {
				continue
			}
			e.Began("all")
			if err := p.Terminate(drainWithin); err != nil {
				return err
			}
			if _, err := e.Cluster.StartShard(p.Name); err != nil {
				return err
			}
			pass(ctx, e.Length)
		}
	}
	return nil
}

// freeName is a name that no shard had: one that had it may be about to come back.
func (c *Cluster) freeName() string {
	had := map[string]bool{}
	for _, p := range c.All() {
		had[p.Name] = true
	}
	for i := 1; ; i++ {
		if name := fmt.Sprint("s", i); !had[name] {
			return name
		}
	}
}
