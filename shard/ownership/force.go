package ownership

import (
	"context"
	"errors"
	"fmt"
	"os"

	"positivity-exchange/shard/roomlog"
)

// Refused is told the error, if any, of an owner's append: the one in its way
// may be a shard that lost the race for the partition, stopped inside its
// transaction before it found that it had.
func (k *Keeper) Refused(err error) {
	if err == nil {
		return
	}
	var blocked *roomlog.BlockedError
	if errors.As(err, &blocked) {
		k.wg.Go(func() { k.force(k.ctx, blocked) })
	}
}

// force ends the process in the way if every condition for it holds.
func (k *Keeper) force(ctx context.Context, b *roomlog.BlockedError) {
	forcer, ok := k.log.(roomlog.Forcer)
	if !ok || k.opts.NoFenceKill || b.For < forceAfter || b.OS.PID == 0 || b.OS.PID == os.Getpid() {
		return
	}
	entries := k.census.entriesOf(ctx, b.OS)
	if len(entries) == 0 {
		k.blocked.Note(b, "pid", b.OS.PID, "member", "on no roll")
		return
	}
	for _, e := range entries {
		if !e.Alone || !k.census.Gone(e.Boot) {
			k.blocked.Note(b, "pid", b.OS.PID, "member", e.Name)
			return
		}
	}
	if err := forcer.End(ctx, b); err != nil {
		k.blocked.Note(fmt.Errorf("end it: %w", err), "partition", b.Partition, "pid", b.OS.PID)
	}
}
