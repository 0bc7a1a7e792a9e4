package ownership

import (
	"context"
	"sync"

	"positivity-exchange/shard/roomlog"
)

// recheckAll reads the owner records of all that is held. In a hurry, some at a
// time: who stood still has people in the last of them, too, who must hear soon
// that they are elsewhere.
func (k *Keeper) recheckAll(ctx context.Context, hurry bool) {
	var wg sync.WaitGroup
	defer wg.Wait()
	width := make(chan struct{}, recheckWidth)
	for p := range k.slots {
		switch {
		case k.slots[p].held.Load() == nil:
		case !hurry:
			k.recheck(ctx, p)
		default:
			width <- struct{}{}
			wg.Go(func() {
				defer func() { <-width }()
				k.recheck(ctx, p)
			})
		}
	}
}

// Recheck reads the owner record again soon: a client knows a later sequence.
func (k *Keeper) Recheck(partition int) { k.recheck(k.ctx, partition) }

// recheck reads the owner record of a held partition and tells whether it is
// ours as of now; another's means that we were deposed.
func (k *Keeper) recheck(ctx context.Context, partition int) bool {
	s := &k.slots[partition]
	h := s.held.Load()
	if h == nil {
		return false
	}
	start := k.census.now()
	record, err := k.log.Owner(ctx, partition)
	if err != nil {
		k.away.Note(err, "partition", partition)
		return false
	}
	k.away.Note(nil)
	if record.Epoch == h.Epoch && !record.Released {
		s.checked.Store(k.census.ran(start))
		return k.census.since(start) < freshFor // else we may have stood still since
	}
	if s.held.CompareAndSwap(h, nil) {
		k.logger.Warn("deposed", "partition", partition, "epoch", h.Epoch, "owner", record.Name)
		k.rooms.Lost(partition, h.Epoch, whereOf(record))
		k.log.CloseIdle(partition)
	}
	return false
}

// recheckSoon is recheck; of a shard that is cut it gives up soon. It is not in
// vain there: heartbeats alone may fail, where the roll is a stream of its own.
func (k *Keeper) recheckSoon(ctx context.Context, partition int, cut bool) bool {
	if cut {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerWithin)
		defer cancel()
	}
	return k.recheck(ctx, partition)
}

func whereOf(o roomlog.Owner) Where {
	if o.Released {
		return Where{Name: o.NextName, Addr: o.NextAddr}
	}
	return Where{Name: o.Name, Addr: o.Addr, Epoch: o.Epoch}
}

// Fenced tells that an append under epoch was fenced. Rooms.Lost follows, also
// where the partition is held, under another epoch than its serving side has:
// that would be fenced for ever.
func (k *Keeper) Fenced(partition int, epoch uint64) {
	k.wg.Go(func() {
		k.recheck(k.ctx, partition)
		if h := k.slots[partition].held.Load(); h != nil && h.Epoch != epoch {
			self := k.gossip.Self()
			k.rooms.Lost(partition, epoch, Where{Name: self.Name, Addr: self.Client, Epoch: h.Epoch})
		}
	})
}
