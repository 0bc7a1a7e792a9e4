package ownership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

func (k *Keeper) lookAtMoves() { mark(k.kick) }

// Yield answers a shard that asks for partition. The answer is one of comms.Yield*.
func (k *Keeper) Yield(ctx context.Context, partition int, name, boot string) string {
	if partition < 0 || partition >= len(k.slots) {
		return comms.YieldNotHeld
	}
	s := &k.slots[partition]
	self := k.gossip.Self()
	if s.held.Load() == nil {
		if released, err := k.letGo(ctx, partition, membership.Member{Name: name}); err == nil && released {
			return comms.YieldReleased
		}
		return comms.YieldNotHeld
	}
	owner, _ := k.gossip.Table().Owner(partition)
	sessions, _ := k.rooms.Load(partition)
	switch answerYield(owner.Boot == self.Boot, sessions) {
	case keepIt:
		return comms.YieldNo
	case giveNow:
		s.asked.Store(true)
		for _, m := range k.gossip.Members() {
			if m.Boot == boot && k.move(ctx, partition, m, false) == nil {
				return comms.YieldReleased
			}
		}
		if s.held.Load() == nil {
			return comms.YieldReleased // by a move that was under way, or we were deposed: the record says to whom
		}
	}
	s.asked.Store(true)
	k.lookAtMoves()
	return comms.YieldQueued
}

// letGo releases a partition that the record says is ours although we do not
// serve it (the answer to our acquire was lost); false if it says otherwise.
func (k *Keeper) letGo(ctx context.Context, partition int, to membership.Member) (released bool, err error) {
	s := &k.slots[partition]
	if err := k.take(ctx, s); err != nil {
		return false, err
	}
	defer s.give()
	record, err := k.log.Owner(ctx, partition)
	if err != nil || record.Boot != k.gossip.Self().Boot || record.Released || s.held.Load() != nil {
		return false, err
	}
	err = k.log.Release(ctx, partition, record.Epoch, roomlog.Release{NextName: to.Name, NextAddr: to.Client})
	k.Refused(err)
	return err == nil, err
}

// Offered answers a shard that asks whether this one would take partition.
func (k *Keeper) Offered(partition int, draining bool) bool {
	self := k.gossip.Self()
	owner, ok := k.gossip.Table().Owner(partition)
	return takesOffer(self, draining, ok && owner.Boot == self.Boot)
}

// moveLoop gives up what the table gives to others.
func (k *Keeper) moveLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.kick:
		}
		if !movesAway(k.gossip.Self()) {
			continue
		}
		k.moveAll(ctx, false, nil)
	}
}

// moveAll moves every held partition that the table gives to another: those
// asked for first, the busiest last, moveWidth at a time.
func (k *Keeper) moveAll(ctx context.Context, draining bool, moved func()) {
	type move struct {
		partition, load int
		asked           bool
		to              membership.Member
	}
	var moves []move
	self, table := k.gossip.Self(), k.gossip.Table()
	for _, h := range k.Held() {
		to, ok := table.Owner(h.Partition)
		if !ok || to.Boot == self.Boot {
			continue
		}
		load, _ := k.rooms.Load(h.Partition)
		moves = append(moves, move{h.Partition, load, k.slots[h.Partition].asked.Load(), to})
	}
	slices.SortFunc(moves, func(a, b move) int {
		if a.asked != b.asked {
			if a.asked {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.load, b.load)
	})
	width := make(chan struct{}, moveWidth)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, m := range moves {
		select {
		case width <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-width }()
			asking, cancel := context.WithTimeout(ctx, answerWithin)
			ok, err := k.peers.Offer(asking, m.to.Client, m.partition, draining)
			cancel()
			if err != nil || !ok {
				k.logger.Debug("offer", "partition", m.partition, "to", m.to.Name, "ok", ok, "err", err)
				return
			}
			if err := k.move(ctx, m.partition, m.to, true); err != nil {
				k.logger.Debug("move", "partition", m.partition, "to", m.to.Name, "err", err)
			} else if moved != nil {
				moved()
			}
		})
	}
}

// move gives one partition to `to`.
func (k *Keeper) move(ctx context.Context, partition int, to membership.Member, announce bool) error {
	s := &k.slots[partition]
	if announce {
		if sessions, _ := k.rooms.Load(partition); sessions > 0 {
			k.rooms.Announce(partition, to)
			if err := pause(ctx, announceFor); err != nil {
				return err
			}
			if err := k.awaitTurn(ctx); err != nil {
				return err
			}
		}
	}
	if err := k.take(ctx, s); err != nil {
		return err
	}
	defer s.give()
	h := s.held.Load()
	if h == nil {
		return roomlog.ErrFenced
	}
	start := time.Now()
	handover, err := k.rooms.Stop(ctx, partition)
	if err != nil {
		k.rooms.Resume(partition)
		return err
	}
	err = k.log.Release(ctx, partition, h.Epoch, roomlog.Release{NextName: to.Name, NextAddr: to.Client, Handover: handover})
	if err != nil {
		k.Refused(err)
		record, readErr := k.log.Owner(ctx, partition)
		if readErr == nil && (record.Epoch != h.Epoch || record.Released) {
			s.held.Store(nil)
			k.rooms.Lost(partition, h.Epoch, whereOf(record))
			return err
		}
		k.rooms.Resume(partition)
		return err
	}
	s.held.Store(nil)
	s.asked.Store(false)
	k.rooms.Released(partition, h.Epoch, Where{Name: to.Name, Addr: to.Client})
	k.log.CloseIdle(partition)
	k.logger.Info("released", "partition", partition, "epoch", h.Epoch, "to", to.Name, "took", time.Since(start))
	return nil
}

// awaitTurn spreads the stops of moves that people notice: those who take over
// would all want the log at once, and people wait for each.
func (k *Keeper) awaitTurn(ctx context.Context) error {
	k.turns.Lock()
	now := time.Now()
	turn := k.turn
	if turn.Before(now) {
		turn = now
	}
	k.turn = turn.Add(stopEvery)
	k.turns.Unlock()
	return pause(ctx, turn.Sub(now))
}

// serveWants gives up partitions that another shard wants and cannot ask for,
// if no client of theirs reaches us either.
func (k *Keeper) serveWants(ctx context.Context) {
	self := k.gossip.Self()
	for _, e := range k.census.lastRoll() {
		if e.Boot == self.Boot {
			continue
		}
		for _, p := range e.Wants {
			if p < 0 || p >= len(k.slots) {
				continue
			}
			s := &k.slots[p]
			_, heard := k.rooms.Load(p)
			if !servesWant(k.census.beats(e.Boot), k.census.ran(k.census.now()) < s.settled.Load(), heard) {
				continue
			}
			var err error
			if to := (membership.Member{Name: e.Name, Boot: e.Boot, Client: e.Client}); s.held.Load() != nil {
				err = k.move(ctx, p, to, false)
			} else {
				_, err = k.letGo(ctx, p, to)
			}
			if err != nil {
				k.logger.Debug("give up what is wanted", "partition", p, "err", err)
			}
		}
	}
}

// logAway tells that heartbeats have failed for so long that nothing can be
// released now.
func (k *Keeper) logAway() bool {
	return k.census.last.Load() != nil && k.census.sinceBeat() > cutAfter
}

var errLogAway = errors.New("the room log does not answer")

// Drain gives everything up, announced and paced until the deadline, then at
// once. progress is called with the number still held after each change. An
// error tells what is held at the end: only a new owner ends that, once our
// entry on the roll has ended or stands still. So the caller goes on leaving.
func (k *Keeper) Drain(ctx context.Context, progress func(held int)) error {
	var telling sync.Mutex // moves run beside each other, progress is told one at a time
	tell := func() {
		telling.Lock()
		defer telling.Unlock()
		if progress != nil {
			progress(len(k.Held()))
		}
	}
	k.gossip.SetState(membership.StateDraining)
	paced, cancel := context.WithTimeout(ctx, k.opts.DrainTimeout)
	defer cancel()
	tell()
	for len(k.Held()) > 0 && paced.Err() == nil && !k.logAway() {
		if len(k.gossip.Table().Shards()) == 0 {
			break // nobody to give to
		}
		k.moveAll(paced, true, tell)
		if len(k.Held()) > 0 && pause(paced, 100*time.Millisecond) != nil {
			break
		}
	}
	rest, stop := context.WithTimeout(ctx, restFor)
	defer stop()
	why := errLogAway
	for _, h := range k.Held() {
		if rest.Err() != nil || k.logAway() {
			why = errLogAway
			break
		}
		to, _ := k.gossip.Table().Owner(h.Partition)
		if err := k.move(rest, h.Partition, to, false); err != nil {
			k.logger.Warn("release at the end of the drain", "partition", h.Partition, "err", err)
			why = err
		}
		tell()
	}
	if held := len(k.Held()); held > 0 && ctx.Err() == nil {
		return fmt.Errorf("partitions still held: %d, %w", held, why)
	}
	return ctx.Err()
}
