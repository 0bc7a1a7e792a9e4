package sqlitelog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"positivity-exchange/shard/roomlog"
)

// transaction changes a partition: of its writer for records, of a connection
// of the pool for ownership.
type transaction interface {
	setSync(mode string) error
	begin() error // takes the write lock, or fails at once
	end() error
	undo() bool // false: there was nothing to undo, or nobody knows
}

// pooled is a transaction of a connection that the pool has lent. It is never
// cancelled half way: that would leave open what the state is.
type pooled struct{ *sql.Conn }

func (c pooled) exec(query string) error {
	_, err := c.ExecContext(context.Background(), query)
	return err
}

func (c pooled) setSync(mode string) error { return c.exec("PRAGMA synchronous=" + mode) }

func (c pooled) begin() error { return c.exec("BEGIN IMMEDIATE") }
func (c pooled) end() error   { return c.exec("COMMIT") }
func (c pooled) undo() bool   { return c.exec("ROLLBACK") == nil }

// appending runs f in a transaction of the partition's writer. known tells,
// with an error, whether the transaction is certainly not in. synced: the
// commit, and all before it, is on the disk when appending returns.
func (p *part) appending(synced bool, f func(w *writer) error) (known bool, err error) {
	known = true
	err = p.use(func(*sql.DB) error {
		p.write.Lock()
		defer p.write.Unlock()
		known, err = p.transact(p.append, synced, func() error { return f(p.append) })
		return err
	})
	return known, err
}

// owning is appending for a transaction that changes the owner record.
func (p *part) owning(synced bool, f func(ctx context.Context, c *sql.Conn) error) (known bool, err error) {
	known = true
	err = p.use(func(db *sql.DB) error {
		p.write.Lock()
		defer p.write.Unlock()
		ctx := context.Background()
		conn, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		defer conn.Close() //nolint:errcheck // goes back to the pool
		known, err = p.transact(pooled{conn}, synced, func() error { return f(ctx, conn) })
		return err
	})
	return known, err
}

// transact runs f between the begin and the end of t. The caller holds p.write.
func (p *part) transact(t transaction, synced bool, f func() error) (known bool, err error) {
	if synced && p.log.sync != roomlog.SyncFull {
		// On the connection that commits, and before its file can be closed and
		// opened again: a new one does not sync.
		if err := t.setSync(roomlog.SyncFull); err != nil {
			return true, fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		defer t.setSync(p.log.sync) //nolint:errcheck // it syncs too much then
	}
	if err := retryBusy(t.begin); err != nil {
		if isBusy(err) {
			return true, p.blocked(&p.writing)
		}
		return true, fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
	}
	p.writing.free()
	if err := f(); err != nil {
		t.undo()
		return true, err
	}
	if err := t.end(); err != nil {
		// Still open: rolled back now, certainly not in. Where there was no room
		// for its frames SQLite has done so itself, and a transaction whose last
		// frame is not whole is none. Otherwise nobody knows.
		return t.undo() || isFull(err), fmt.Errorf("commit: %w", err)
	}
	p.committed()
	return true, nil
}

// isBusy tells that another process holds the lock.
func isBusy(err error) bool { return hasCode(err, sqlite3.SQLITE_BUSY) }

// isFull tells that the disk has no room.
func isFull(err error) bool { return hasCode(err, sqlite3.SQLITE_FULL) }

func hasCode(err error, code int) bool {
	var e interface{ Code() int }
	return errors.As(err, &e) && e.Code()&0xff == code
}
