package sqlitelog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"positivity-exchange/shard/failpoint"
	"positivity-exchange/shard/roomlog"
)

const selectOwner = "SELECT epoch, name, boot, addr, released, next_name, next_addr, handover FROM owner WHERE id = 1"

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readOwner(ctx context.Context, q rowQuerier) (o roomlog.Owner, err error) {
	err = q.QueryRowContext(ctx, selectOwner).Scan(&o.Epoch, &o.Name, &o.Boot, &o.Addr, &o.Released, &o.NextName, &o.NextAddr, &o.Handover)
	return o, err
}

// Owner reads a partition's owner record.
func (l *Log) Owner(ctx context.Context, partition int) (o roomlog.Owner, err error) {
	p, err := l.part(partition, false)
	if err != nil || p == nil {
		return roomlog.Owner{}, err
	}
	err = p.use(func(db *sql.DB) error {
		return retryBusy(func() error { o, err = readOwner(ctx, db); return err })
	})
	switch {
	case err == nil:
		p.reading.free()
		return o, nil
	case isBusy(err):
		err = p.blocked(&p.reading)
	}
	return o, fmt.Errorf("read owner of partition %d: %w", partition, err)
}

// Acquire makes to the holder under the next epoch, synced: an epoch must never
// be issued twice, not even after a power cut.
func (l *Log) Acquire(_ context.Context, partition int, from, to roomlog.Owner) (roomlog.Owner, error) {
	p := l.file(partition)
	to.Epoch, to.Released, to.NextName, to.NextAddr, to.Handover = from.Epoch+1, false, "", "", nil
	known, err := p.owning(true, func(ctx context.Context, c *sql.Conn) error {
		now, err := readOwner(ctx, c)
		if err != nil {
			return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		// An unused partition reads as released by nobody.
		if now.Epoch != from.Epoch || now.Boot != from.Boot || now.Epoch != 0 && now.Released != from.Released {
			return fmt.Errorf("%w: epoch %d of %s", roomlog.ErrConflict, now.Epoch, now.Name)
		}
		_, err = c.ExecContext(ctx, "UPDATE owner SET epoch = ?, name = ?, boot = ?, addr = ?, released = 0, next_name = '', next_addr = '', handover = NULL WHERE id = 1",
			to.Epoch, to.Name, to.Boot, to.Addr)
		if err != nil {
			return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		failpoint.Hit("roomlog.acquire.inTx")
		return nil
	})
	if err != nil {
		return roomlog.Owner{}, l.outcome("acquire", partition, known, err)
	}
	failpoint.Hit("roomlog.acquire.afterCommit")
	return to, nil
}

// Release gives the partition up if it is still held under epoch.
func (l *Log) Release(_ context.Context, partition int, epoch uint64, r roomlog.Release) error {
	p := l.file(partition)
	known, err := p.owning(false, func(ctx context.Context, c *sql.Conn) error {
		now, err := readOwner(ctx, c)
		if err != nil {
			return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		if now.Epoch != epoch || now.Released {
			return fmt.Errorf("%w: epoch %d of %s", roomlog.ErrFenced, now.Epoch, now.Name)
		}
		if _, err = c.ExecContext(ctx, "UPDATE owner SET released = 1, next_name = ?, next_addr = ?, handover = ? WHERE id = 1", r.NextName, r.NextAddr, r.Handover); err != nil {
			return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		failpoint.Hit("roomlog.release.inTx")
		return nil
	})
	if err == nil {
		failpoint.Hit("roomlog.release.afterCommit")
	}
	return l.outcome("release", partition, known, err)
}

// outcome wraps err so that it is one of the four answers or ErrConflict.
func (l *Log) outcome(what string, partition int, known bool, err error) error {
	switch {
	case err == nil:
		return nil
	case !known:
		return fmt.Errorf("%s partition %d: %w: %w", what, partition, roomlog.ErrUnknown, err)
	case isAnswer(err):
		return fmt.Errorf("%s partition %d: %w", what, partition, err)
	}
	return fmt.Errorf("%s partition %d: %w: %w", what, partition, roomlog.ErrRefused, err)
}

func isAnswer(err error) bool {
	for _, answer := range []error{roomlog.ErrFenced, roomlog.ErrRefused, roomlog.ErrUnknown, roomlog.ErrConflict, roomlog.ErrRoomExists, roomlog.ErrNoRoom} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
