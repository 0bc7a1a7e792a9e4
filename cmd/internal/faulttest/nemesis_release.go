package faulttest

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

func releaseNemeses() []Nemesis {
	return []Nemesis{
		{Name: "kill-releasing", Least: 2 * time.Second, Most: 4 * time.Second, Limits: crash, Run: killReleasing},
		{Name: "zombie-releasing", Least: 5 * time.Second, Most: 7 * time.Second, Limits: frozen, Run: zombieReleasing},
	}
}

// releasing tells the hot room's owner to leave and stops it while it gives its
// first partition up: the record says released, or nearly, and nobody was told.
func releasing(ctx context.Context, e *Episode) (p *Process, hit error, err error) {
	if p, err = e.OwnerOf(e.Load.Hot()); err != nil {
		return nil, nil, err
	}
	place := "roomlog.release.afterCommit"
	if e.Rand.IntN(2) == 0 && e.Cluster.NATS() == nil {
		place = "roomlog.release.inTx"
	}
	p.MayEnd()
	p.Signal(syscall.SIGTERM)
	hit = p.FreezeAt(ctx, place, 4*time.Second)
	e.Began(p.Name)
	e.Note("%s stood at %s", p.Name, place)
	return p, e.Missed(hit), nil
}

// killReleasing ends it there.
func killReleasing(ctx context.Context, e *Episode) error {
	p, hit, err := releasing(ctx, e)
	if err != nil {
		return err
	}
	p.Kill()
	pass(ctx, e.Length)
	_, err = e.Cluster.StartShard(p.Name)
	return errors.Join(hit, err)
}

// zombieReleasing leaves it there until its rooms have gone to others, and
// wakes it: it goes on leaving, with nothing of all this.
func zombieReleasing(ctx context.Context, e *Episode) error {
	p, hit, err := releasing(ctx, e)
	if err != nil {
		return err
	}
	struck := time.Now()
	free := until(ctx, e.takeOver(), "room that is writable again", func() bool { return len(e.Load.notWritable(struck)) == 0 })
	pass(ctx, e.Length-time.Since(struck))
	p.Thaw()
	var left error
	select {
	case <-p.Ended(): // left in order, or ended by force before
	case <-time.After(drainWithin):
		left = fmt.Errorf("%s woke while it left and has not left after %s", p.Name, drainWithin)
		p.Kill()
	}
	_, err = e.Cluster.StartShard(p.Name)
	return errors.Join(hit, free, left, err)
}
