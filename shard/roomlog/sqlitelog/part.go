package sqlitelog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver of database/sql

	"positivity-exchange/shard/roomlog"
)

// lockWait bounds how long a write waits for another process's transaction;
// those take well under a millisecond unless their process is stopped.
const (
	lockWait = 250 * time.Millisecond
	lockPoll = 500 * time.Microsecond
)

// roomShift makes a record's key of room id and sequence: clustered by room,
// so that a history page is one range scan without a second index.
const (
	roomShift = 40
	maxInRoom = 1<<roomShift - 1
)

const createSchema = `
CREATE TABLE owner (
	id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, name TEXT NOT NULL, boot TEXT NOT NULL, addr TEXT NOT NULL,
	released INTEGER NOT NULL, next_name TEXT NOT NULL, next_addr TEXT NOT NULL, handover BLOB);
CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE records (
	key INTEGER PRIMARY KEY, -- room id << 40 | sequence
	epoch INTEGER NOT NULL, kind INTEGER NOT NULL, user TEXT NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL, content TEXT NOT NULL);
INSERT INTO owner VALUES (1, 0, '', '', '', 1, '', '', NULL);
PRAGMA user_version = %d;
`

// pragmas of every connection to a partition's file.
func pragmas(sync string) []string {
	return []string{"busy_timeout=0", "synchronous=" + sync, "cache_size=-512", "temp_store=2", "wal_autocheckpoint=16000"}
}

// part is one partition's file.
type part struct {
	log       *Log
	partition int
	path      string
	commits   atomic.Int64 // since the last checkpoint
	dirty     time.Time    // when the checkpointer saw the first of them; its alone
	used      atomic.Bool  // since the checkpointer looked for idle files

	mu sync.RWMutex // guards what follows against open and close
	db *sql.DB      // reads, checkpoints and ownership

	write  sync.Mutex       // one transaction at a time; guards what follows
	append *writer          // nil before the first append to the open file
	rooms  map[string]int64 // ids of rooms that append has found

	writing, reading blocker // what cannot be done
}

// blocker remembers who held the lock since when.
type blocker struct {
	mu    sync.Mutex
	os    roomlog.OSProcess
	since time.Time
}

// free follows success: nobody holds the lock, or it does not matter.
func (b *blocker) free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.os, b.since = roomlog.OSProcess{}, time.Time{}
}

func (p *part) isOpen() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.db != nil
}

// isClean tells whether the file has no write-ahead log, as after its last user
// has closed it.
func (p *part) isClean() bool {
	info, err := os.Stat(p.path + "-wal")
	return err != nil || info.Size() == 0
}

func (p *part) open(create bool) (bool, error) {
	if p.isOpen() {
		return true, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db != nil {
		return true, nil
	}
	if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) && !create {
		return false, nil
	}
	// Escaped: to SQLite the name is an address here, in which '?', '#' and '%' mean
	// something. Not as a whole url.URL, which makes a host of where a relative path begins.
	dsn := "file:" + (&url.URL{Path: p.path}).EscapedPath() + "?_pragma=" + strings.Join(append(pragmas(p.log.sync), "journal_mode=WAL"), "&_pragma=")
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return false, fmt.Errorf("partition %d: %w", p.partition, err)
	}
	db.SetMaxOpenConns(4)
	db.SetConnMaxIdleTime(idleFor)
	if err := p.prepare(db); err != nil {
		if isBusy(err) {
			err = p.blocked(&p.reading) // recovering the file after its last owner's death
		}
		return false, errors.Join(fmt.Errorf("%w: partition %d: %w", roomlog.ErrRefused, p.partition, err), db.Close())
	}
	p.db = db
	if p.log.opened.Add(1) == 1 {
		p.log.call()
	}
	return true, nil
}

// prepare looks first and writes only when creating: opening must not need the
// write lock, which a stopped owner may hold.
func (p *part) prepare(db *sql.DB) (err error) {
	ctx := context.Background()
	var conn *sql.Conn
	if err := retryBusy(func() error { conn, err = db.Conn(ctx); return err }); err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // goes back to the pool
	var version int
	if err := retryBusy(func() error { return conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version) }); err != nil {
		return err
	}
	if version > Schema {
		return fmt.Errorf("%s has schema %d, this program knows %d: run a newer px", p.path, version, Schema)
	}
	if version != 0 {
		return nil
	}
	t := pooled{conn}
	if err := retryBusy(t.begin); err != nil {
		return err
	}
	// Another process may have been first.
	if err = conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err == nil && version == 0 {
		_, err = conn.ExecContext(ctx, fmt.Sprintf(createSchema, Schema))
	}
	if err == nil {
		err = t.end()
	}
	if err != nil {
		t.undo()
	}
	return err
}

// appender is the connection for appends to the open file. Only an owner needs
// one: whoever looks into a partition keeps fewer files open. The caller holds
// p.write.
func (p *part) appender() (w *writer, err error) {
	if p.append != nil {
		return p.append, nil
	}
	err = retryBusy(func() error { w, err = openWriter(p.path, p.log.sync); return err })
	switch {
	case isBusy(err):
		return nil, p.blocked(&p.writing)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
	}
	p.append, p.rooms = w, map[string]int64{}
	return w, nil
}

// retryBusy polls while another process holds the lock, within lockWait.
func retryBusy(f func() error) error {
	err := f()
	if !isBusy(err) {
		return err // nearly always
	}
	for deadline := time.Now().Add(lockWait); isBusy(err) && time.Now().Before(deadline); err = f() {
		time.Sleep(lockPoll)
	}
	return err
}

func (p *part) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closeLocked()
}

// closeUnwritten closes the files if nobody writes, and nobody has written since
// they were opened: an owner who has just come would wait for it.
func (p *part) closeUnwritten() error {
	if !p.isClean() || !p.mu.TryLock() {
		return nil
	}
	defer p.mu.Unlock()
	if p.append != nil || !p.isClean() {
		return nil
	}
	return p.closeLocked()
}

// closeIdle closes the files if they were not used since it was called last.
func (p *part) closeIdle() error {
	if p.used.Swap(false) || !p.mu.TryLock() {
		return nil
	}
	defer p.mu.Unlock()
	if p.used.Load() {
		return nil
	}
	return p.closeLocked()
}

func (p *part) closeLocked() error {
	if p.db == nil {
		return nil
	}
	var err error
	if p.append != nil {
		err = p.append.close()
	}
	err = errors.Join(err, p.db.Close())
	p.db, p.append = nil, nil
	p.log.opened.Add(-1)
	return err
}

// errClosed: the file was closed for being idle since the caller opened it.
var errClosed = fmt.Errorf("%w: the partition is closed", roomlog.ErrRefused)

// use calls f with the file open; it may not be closed meanwhile. One that was
// closed since the caller opened it is opened again: what becomes of an append
// is for its epoch to say.
func (p *part) use(f func(db *sql.DB) error) error {
	for {
		err := p.useOpen(f)
		if err != errClosed { //nolint:errorlint // useOpen's own, not one of f's
			return err
		}
		if _, err := p.open(true); err != nil {
			return err
		}
	}
}

func (p *part) useOpen(f func(db *sql.DB) error) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.db == nil {
		return errClosed
	}
	if !p.used.Load() { // nearly always it is: no write to what all share
		p.used.Store(true)
	}
	return f(p.db)
}

// committed counts a commit, and calls the checkpointer where it has to know.
func (p *part) committed() {
	if n := p.commits.Add(1); n == 1 || n == checkpointCommits {
		p.log.call()
	}
}

// due tells whether a checkpoint is, and counts anew if so; else when one will
// be, zero if nothing was committed.
func (p *part) due(now time.Time) (due bool, at time.Time) {
	n := p.commits.Load()
	if n > 0 && p.dirty.IsZero() {
		p.dirty = now
	}
	if n == 0 || n < checkpointCommits && now.Sub(p.dirty) < checkpointEvery {
		if n > 0 {
			at = p.dirty.Add(checkpointEvery)
		}
		return false, at
	}
	p.commits.Store(0)
	p.dirty = time.Time{}
	return true, at
}

func (p *part) checkpoint(ctx context.Context) error {
	return p.useOpen(func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
		return err
	})
}

// blocked names the process in the way of b and since when it has been there.
func (p *part) blocked(b *blocker) error {
	holder := lockHolder(p.path + "-shm")
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if holder.PID == 0 && b.os.PID != 0 {
		// The kernel's list is read in pieces while others change it, so an
		// entry can be missed; who was seen before counts as there still.
		return &roomlog.BlockedError{Partition: p.partition, OS: holder, For: 0}
	}
	if holder != b.os || b.since.IsZero() {
		b.os, b.since = holder, now.Add(-lockWait)
	}
	return &roomlog.BlockedError{Partition: p.partition, OS: holder, For: now.Sub(b.since)}
}
