package jetstreamlog

import (
	"context"
	"errors"
	"time"

	"positivity-exchange/shard/roomlog"
)

// patient is a log whose caller tries again what certainly did not happen: what
// the conformance suite does not do, and a leader's election makes necessary.
type patient struct{ *Log }

func patiently(f func() error) {
	for deadline := time.Now().Add(time.Minute); ; {
		err := f()
		if !errors.Is(err, roomlog.ErrRefused) || !errors.Is(err, errNoAnswer) || time.Now().After(deadline) {
			return
		}
	}
}

func (p patient) Register(ctx context.Context, proc roomlog.Process) (err error) {
	patiently(func() error { err = p.Log.Register(ctx, proc); return err })
	return err
}

func (p patient) Beat(ctx context.Context, boot string, wants []int) (entries []roomlog.Entry, err error) {
	patiently(func() error { entries, err = p.Log.Beat(ctx, boot, wants); return err })
	return entries, err
}

func (p patient) Strike(ctx context.Context, boot string) (err error) {
	patiently(func() error { err = p.Log.Strike(ctx, boot); return err })
	return err
}

func (p patient) Entries(ctx context.Context) (e []roomlog.Entry, err error) {
	patiently(func() error { e, err = p.Log.Entries(ctx); return err })
	return e, err
}

func (p patient) Owner(ctx context.Context, partition int) (o roomlog.Owner, err error) {
	patiently(func() error { o, err = p.Log.Owner(ctx, partition); return err })
	return o, err
}

// Acquire, Release and Append look what became of it where nobody could say.

func (p patient) Acquire(ctx context.Context, partition int, from, to roomlog.Owner) (o roomlog.Owner, err error) {
	patiently(func() error {
		o, err = p.Log.Acquire(ctx, partition, from, to)
		if !errors.Is(err, roomlog.ErrUnknown) {
			return err
		}
		now, ownerErr := p.Owner(ctx, partition)
		switch {
		case ownerErr != nil:
		case now.Epoch == from.Epoch+1 && now.Boot == to.Boot:
			o, err = now, nil
		case now.Epoch == from.Epoch:
			err = unreachable("", err)
		}
		return err
	})
	return o, err
}

func (p patient) Release(ctx context.Context, partition int, epoch uint64, r roomlog.Release) (err error) {
	patiently(func() error {
		if err = p.Log.Release(ctx, partition, epoch, r); !errors.Is(err, roomlog.ErrUnknown) {
			return err
		}
		now, ownerErr := p.Owner(ctx, partition)
		switch {
		case ownerErr != nil:
		case now.Epoch == epoch && now.Released:
			err = nil
		case now.Epoch == epoch:
			err = unreachable("", err)
		}
		return err
	})
	return err
}

func (p patient) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) (err error) {
	var unknown bool
	patiently(func() error {
		err = p.Log.Append(ctx, partition, epoch, records)
		if errors.Is(err, roomlog.ErrUnknown) {
			unknown, err = true, unreachable("", err)
		}
		if unknown && (errors.Is(err, roomlog.ErrRefused) && !errors.Is(err, errNoAnswer) || errors.Is(err, roomlog.ErrRoomExists)) {
			if _, in, storedErr := p.stored(ctx, p.parts[partition], epoch, &records[len(records)-1], p.parts[partition].seen.Load()); in && storedErr == nil {
				err = nil // the attempt before
			}
		}
		return err
	})
	return err
}

func (p patient) Head(ctx context.Context, partition int, room string) (at roomlog.Position, info roomlog.RoomInfo, err error) {
	patiently(func() error { at, info, err = p.Log.Head(ctx, partition, room); return err })
	return at, info, err
}

func (p patient) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) (r []roomlog.Record, err error) {
	patiently(func() error { r, err = p.Log.Read(ctx, partition, room, from, limit, maxBytes); return err })
	return r, err
}

func (p patient) ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) (r []roomlog.Record, err error) {
	patiently(func() error { r, err = p.Log.ReadBack(ctx, partition, room, before, limit, maxBytes); return err })
	return r, err
}

func (p patient) Rooms(ctx context.Context, partition int, after string, limit int) (r []roomlog.RoomInfo, err error) {
	patiently(func() error { r, err = p.Log.Rooms(ctx, partition, after, limit); return err })
	return r, err
}
