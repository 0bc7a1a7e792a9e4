package faulttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/cmd/internal/faulttest/netns"
)

// freedWithin is how long after a full disk was freed a message may still be refused.
const freedWithin = time.Second

// answeredWithin is how long an answer may take that is an error "at once": a
// command waits a second for a partition that is not there.
const answeredWithin = 1500 * time.Millisecond

func diskNemeses() []Nemesis {
	// What is sent just before waits for as long as it lasts, and two seconds more.
	lasts := func(most time.Duration) Limits { return Limits{Max: most + 2*time.Second} }
	return []Nemesis{
		{Name: "disk-full", Needs: onDisk, Least: 3 * time.Second, Most: 8 * time.Second, Limits: lasts(8 * time.Second), Others: lasts(8 * time.Second), Still: true, Run: diskFull},
		{Name: "disk-stall", Needs: onDisk, Least: 3 * time.Second, Most: 6 * time.Second, Limits: lasts(7 * time.Second), Others: lasts(7 * time.Second), Run: diskStall},
	}
}

func onDisk(c *Cluster) string {
	if c.opts.Site == nil || c.opts.Site.Disk == nil {
		return "its data is on no disk of its own"
	}
	if len(c.opts.NATS) > 0 {
		return "its rooms are on its log's servers' disks"
	}
	return onNetwork(c)
}

// diskFull fills the disk to the last byte and frees it. A person who writes
// meanwhile is told so at once, and what is acknowledged is kept; afterwards
// nobody needs to be started again.
func diskFull(ctx context.Context, e *Episode) error {
	d := e.Cluster.opts.Site.Disk
	room := e.Load.Rooms()[len(e.Load.Rooms())-1]
	e.Began("all")
	if err := d.Fill(); err != nil {
		return err
	}
	// What the log's files have room for is taken, and kept; the first message
	// that they have none for, and all others, must be answered at once.
	acked, unanswered, refused := 0, 0, map[string]int{}
	var worst time.Duration
	var err error
	for end := time.Now().Add(e.Length); time.Now().Before(end) && ctx.Err() == nil; pass(ctx, 50*time.Millisecond) {
		start := time.Now()
		code, failed := e.Load.sendOnce(ctx, room, 5*time.Second)
		worst = max(worst, time.Since(start))
		switch {
		case failed != nil && !e.alone: // another nemesis may have stopped whom it asked
			unanswered++
		case failed != nil:
			err = fmt.Errorf("a message while the disk is full: %w", failed)
		case code == "":
			acked++
		default:
			refused[code]++
		}
	}
	e.Note("while it is full: refused %v, taken %d, the slowest answer after %s", refused, acked, worst.Round(time.Millisecond))
	switch {
	case err != nil:
	case len(refused) == 0 && unanswered == 0:
		err = fmt.Errorf("nothing was refused by a full disk, %d messages were taken", acked)
	case worst > judged(answeredWithin) && e.alone:
		err = fmt.Errorf("an answer on a full disk took %s, at most %s is allowed", worst, answeredWithin)
	}
	if freed := d.Free(); freed != nil {
		return errors.Join(err, freed)
	}
	start := time.Now()
	why := ""
	wait := until(ctx, 5*time.Second, "acknowledgement after the disk was freed", func() bool {
		code, sent := e.Load.sendOnce(ctx, room, time.Second)
		why = fmt.Sprint(code, sent)
		return sent == nil && code == ""
	})
	took := time.Since(start)
	e.Note("writable %s after it was freed", took.Round(time.Millisecond))
	if wait == nil && took > judged(freedWithin) && e.alone {
		wait = fmt.Errorf("writable %s after the disk was freed, at most %s is allowed", took, freedWithin)
	}
	if wait != nil {
		wait = fmt.Errorf("%w: %s", wait, why)
	}
	return errors.Join(err, wait)
}

// diskStall freezes the file system that all shards share while two of them do
// not reach each other: each takes the other for dead, and sees its heartbeat
// stand still, as its own does.
func diskStall(ctx context.Context, e *Episode) error {
	site := e.Cluster.opts.Site
	all := e.Cluster.Live("shard")
	e.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	before := e.Cluster.acquisitions()
	e.Began("all")
	heal, err := site.Net.Cut(netns.Cut{From: site.addrs(all[0]), To: site.addrs(all[1]), Both: true})
	if err != nil {
		return err
	}
	froze := site.Disk.Freeze()
	pass(ctx, e.Length)
	thawed := site.Disk.Thaw()
	// A second in which whoever would take from the living can.
	pass(ctx, time.Second)
	most := 0
	for p, n := range e.Cluster.acquisitions() {
		most = max(most, n-before[p])
	}
	e.Note("partitions changed their owner at most %d times", most)
	return errors.Join(froze, thawed, err, heal(), e.heals(ctx))
}
