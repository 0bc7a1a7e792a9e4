package faulttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

func restartNemeses() []Nemesis {
	return []Nemesis{
		{Name: "restart", Least: 2 * time.Second, Most: 4 * time.Second, Limits: crash, Others: others, Run: restart},
		{Name: "restart-there", Least: 2 * time.Second, Most: 4 * time.Second, Limits: crash, Others: others, Run: restartThere},
		{Name: "restart-frozen", Least: time.Second, Most: 3 * time.Second, Limits: silence, Others: others, Run: restartFrozen},
		{Name: "twin", Least: time.Second, Most: 2 * time.Second, Limits: others, Others: others, Still: true, Run: twin},
	}
}

// startAgain is how soon after its end a shard is started again, at most:
// sooner than anybody but those connected to it can know.
const startAgain = 300 * time.Millisecond

// restart kills a shard and starts it again at once, at another address.
func restart(ctx context.Context, e *Episode) error {
	return restartAt(ctx, e, func(*Process) []string { return nil })
}

// restartThere does so at the same address.
func restartThere(ctx context.Context, e *Episode) error {
	return restartAt(ctx, e, func(p *Process) []string { return []string{"--listen", p.Client} })
}

func restartAt(ctx context.Context, e *Episode, args func(*Process) []string) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	e.Began(p.Name)
	p.Kill()
	pass(ctx, time.Duration(e.Rand.Int64N(int64(startAgain))))
	start := time.Now()
	if _, err := e.Cluster.StartShard(p.Name, args(p)...); err != nil {
		return err
	}
	e.Note("%s was ready again after %s", p.Name, time.Since(start).Round(time.Millisecond))
	pass(ctx, e.Length)
	return nil
}

// restartFrozen starts a shard of the name of one that stands still. When that
// one wakes it must find that it is not the newest of its name, and end.
func restartFrozen(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	if err := p.Freeze(ctx); err != nil {
		p.Thaw()
		return err
	}
	e.Began(p.Name)
	p.MayEnd()
	_, err = e.Cluster.StartShard(p.Name)
	pass(ctx, e.Length)
	p.Thaw()
	select {
	case <-p.Ended():
		e.Note("the old %s ended with %v", p.Name, p.cmd.ProcessState)
	case <-time.After(5 * time.Second):
		err = errors.Join(err, fmt.Errorf("the old %s lives 5 s after it woke beside a newer one of its name", p.Name))
		p.Kill()
	}
	return err
}

// twin starts a shard of the name of one that lives: it must be refused by
// name, and nobody else must notice.
func twin(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	e.Began(p.Name)
	q, err := e.Cluster.StartShard(p.Name)
	if err == nil {
		q.Kill()
		return fmt.Errorf("a second %s was taken in beside the living one", p.Name)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("%q", p.Name)) {
		return fmt.Errorf("a second %s was refused without its name: %w", p.Name, err)
	}
	pass(ctx, e.Length)
	return nil
}
