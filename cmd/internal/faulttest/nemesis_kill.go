package faulttest

import (
	"context"
	"time"
)

func killNemeses() []Nemesis {
	return []Nemesis{
		{Name: "kill", Least: 2 * time.Second, Most: 6 * time.Second, Limits: crash, Others: others, Run: kill},
		{Name: "kill-two", Least: 2 * time.Second, Most: 6 * time.Second, Limits: crash, Others: others, Needs: needsThree, Run: killTwo},
		{Name: "kill-again", Least: 2 * time.Second, Most: 6 * time.Second, Limits: Limits{Max: 4 * time.Second}, Needs: needsThree, Run: killAgain},
		window("kill-before", "roomlog.append.beforeBegin"),
		window("kill-inside", "roomlog.append.inTx"),
		window("kill-after", "roomlog.append.afterCommit"),
		{Name: "kill-acquiring", Least: 2 * time.Second, Most: 4 * time.Second, Limits: Limits{Max: 4 * time.Second}, Needs: needsThree, Run: killAcquiring},
	}
}

func needsThree(c *Cluster) string {
	if len(c.Live("shard")) < 3 {
		return "it needs three shards"
	}
	return ""
}

// kill ends a shard without notice; it comes back later.
func kill(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	e.Began(p.Name)
	p.Kill()
	pass(ctx, e.Length)
	_, err = e.Cluster.StartShard(p.Name)
	return err
}

// killTwo ends two at once.
func killTwo(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	q, err := e.Shard()
	if err != nil {
		return err
	}
	e.Began(p.Name, q.Name)
	go p.Kill()
	q.Kill()
	<-p.Ended()
	pass(ctx, e.Length)
	return e.startAgain(p, q)
}

// killAgain ends the hot room's owner and then, in the middle of the take-over,
// whoever is about to become its successor.
func killAgain(ctx context.Context, e *Episode) error {
	p, q, err := e.hotAndAnother()
	if err != nil {
		return err
	}
	e.Began(p.Name, q.Name)
	p.Kill()
	pass(ctx, time.Duration(e.Rand.IntN(300))*time.Millisecond)
	q.Kill()
	pass(ctx, e.Length)
	return e.startAgain(p, q)
}

// window ends the hot room's owner at a failpoint of its append.
func window(name, place string) Nemesis {
	return Nemesis{Name: name, Least: 2 * time.Second, Most: 4 * time.Second, Limits: crash, Others: others, Run: func(ctx context.Context, e *Episode) error {
		p, err := e.OwnerOf(e.Load.Hot())
		if err != nil {
			return err
		}
		if err := p.FreezeAt(ctx, place, 5*time.Second); err != nil {
			return e.Missed(err)
		}
		e.Began(p.Name)
		p.Kill()
		pass(ctx, e.Length)
		_, err = e.Cluster.StartShard(p.Name)
		return err
	}}
}

// killAcquiring ends a successor while it takes over: its owner record is
// written, or nearly, and nobody knows.
func killAcquiring(ctx context.Context, e *Episode) error {
	p, q, err := e.hotAndAnother()
	if err != nil {
		return err
	}
	e.Began(p.Name, q.Name)
	p.Kill()
	hit := q.FreezeAt(ctx, e.acquiring(), 4*time.Second)
	q.Kill()
	pass(ctx, e.Length)
	if err := e.startAgain(p, q); err != nil {
		return err
	}
	return e.Missed(hit)
}

// hotAndAnother claims the hot room's owner and one more shard.
func (e *Episode) hotAndAnother() (owner, other *Process, err error) {
	if owner, err = e.OwnerOf(e.Load.Hot()); err != nil {
		return nil, nil, err
	}
	other, err = e.Shard()
	return owner, other, err
}

// startAgain starts shards that have ended, under their names.
func (e *Episode) startAgain(shards ...*Process) error {
	for _, p := range shards {
		if _, err := e.Cluster.StartShard(p.Name); err != nil {
			return err
		}
	}
	return nil
}

// acquiring draws a place within a take-over.
func (e *Episode) acquiring() string {
	if e.Rand.IntN(2) == 0 && e.Cluster.NATS() == nil {
		return "roomlog.acquire.inTx"
	}
	return "roomlog.acquire.afterCommit"
}
