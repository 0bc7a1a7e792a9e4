package shard

import (
	"context"
	"errors"

	"positivity-exchange/shard/roomlog"
)

// append stores records of the partition: everything that is appended comes by
// here, so that whatever is in the way is followed up in one place.
func (p *part) append(ctx context.Context, epoch uint64, records []roomlog.Record) error {
	s := p.server
	err := s.opts.Log.Append(ctx, p.partition, epoch, records)
	s.keeper.Refused(err)
	if ctx.Err() == nil && s.ctx.Err() == nil { // else it is who asked that gave up
		p.noteRefusal(err)
	}
	// Rooms that are appended to are open: what is no more was lost as well.
	if errors.Is(err, roomlog.ErrLostEnd) || errors.Is(err, roomlog.ErrNoRoom) {
		p.startAnew(epoch, err)
	}
	return err
}

// noteRefusal logs once that the store refuses what is appended, and once that
// it takes it again: people are told no more than that it did not.
func (p *part) noteRefusal(err error) {
	refused := errors.Is(err, roomlog.ErrRefused) && !errors.Is(err, roomlog.ErrLostEnd)
	if err != nil && !refused {
		return // the store was not in the way, or nobody knows yet
	}
	if p.refusing.Swap(refused) == refused {
		return
	}
	if refused {
		p.server.logger.Warn("the store refuses what is said", "partition", p.partition, "err", err)
	} else {
		p.server.logger.Info("the store takes what is said again", "partition", p.partition)
	}
}

// startAnew follows a log that lost its end: what is known here is of what is
// gone. Under the next epoch the rooms are read again, by those who come back to
// them; who has seen what is gone is told so then. Nobody waits for it: a move
// that has the partition's turn with the keeper may wait for the caller.
func (p *part) startAnew(epoch uint64, lost error) {
	if p.anew.Swap(true) {
		return
	}
	s := p.server
	s.logger.Warn("the store has lost its end; the partition's rooms are read again", "partition", p.partition, "epoch", epoch, "err", lost)
	s.wg.Go(func() {
		_, err := s.keeper.Reacquire(s.ctx, p.partition, epoch)
		if err != nil && !errors.Is(err, roomlog.ErrFenced) {
			p.anew.Store(false) // the next append says the same
			s.logger.Warn("acquire a partition anew", "partition", p.partition, "err", err)
			return
		}
		s.keeper.Fenced(p.partition, epoch)
	})
}
