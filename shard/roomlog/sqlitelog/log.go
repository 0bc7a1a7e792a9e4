package sqlitelog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"positivity-exchange/shard/roomlog"
)

// schema is the version of the files; one directory has one.
const schema = 1

// Changed files are checkpointed in the background, since an automatic
// checkpoint's fsync inside COMMIT would be the p99: each so often, or after so
// many commits, a page or two of the write-ahead log each. One of 24 busy files
// costs half a millisecond, mostly its two fsyncs, however little has changed.
// Those that are due soon are looked at together: a process is woken for less.
const (
	checkpointEvery   = time.Second
	checkpointCommits = 1000
	checkpointPause   = 100 * time.Millisecond
)

// Options configures a Log.
type Options struct {
	Sync   string // empty: roomlog.SyncNormal
	Logger *slog.Logger
}

// Log is the embedded room log in one directory.
type Log struct {
	dir      string
	identity string
	sync     string
	logger   *slog.Logger

	parts sync.Map // of *part, by partition

	called  chan struct{} // one slot: the checkpointer has something to look at
	stop    chan struct{}
	stopped sync.WaitGroup
}

var _ roomlog.Log = (*Log)(nil)

// clusterFile is what cluster.json holds.
type clusterFile struct {
	Identity string `json:"identity"`
	Schema   int    `json:"schema"`
}

// Open opens the log in dir, making it if there is none. A process opens a
// directory once and shares the Log among its members.
func Open(dir string, opts Options) (*Log, error) {
	synced, err := roomlog.ParseSync(opts.Sync)
	if err != nil {
		return nil, fmt.Errorf("--sync %q: %w", opts.Sync, err)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	for _, sub := range []string{"partitions", "roll"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("data directory %s: %w (name another with --data)", dir, err)
		}
	}
	if err := checkFileSystem(dir); err != nil {
		return nil, err
	}
	identity, err := identify(dir)
	if err != nil {
		return nil, err
	}
	if err := syncDirs(dir); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	l := &Log{dir: dir, identity: identity, sync: synced, logger: opts.Logger,
		called: make(chan struct{}, 1), stop: make(chan struct{})}
	l.stopped.Go(l.checkpoint)
	return l, nil
}

// identify reads the directory's identity, making one if there is none.
func identify(dir string) (string, error) {
	path := filepath.Join(dir, "cluster.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var random [12]byte
		rand.Read(random[:]) //nolint:errcheck // never fails
		b, err = json.Marshal(clusterFile{Identity: hex.EncodeToString(random[:]), Schema: schema})
		if err != nil {
			return "", err
		}
		tmp := fmt.Sprintf("%s.%x", path, random)
		if err := writeFile(tmp, b, true); err != nil {
			return "", fmt.Errorf("data directory %s is not writable: %w (name another with --data)", dir, err)
		}
		// Several may start at once: the first link counts for all.
		err = os.Link(tmp, path)
		os.Remove(tmp) //nolint:errcheck // the link stays
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("data directory %s: %w", dir, err)
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	var f clusterFile
	if err := json.Unmarshal(b, &f); err != nil || f.Identity == "" {
		return "", fmt.Errorf("%s is damaged: restore it from a backup, or name another directory with --data", path)
	}
	if f.Schema > schema {
		return "", fmt.Errorf("data directory %s has schema %d, this program knows %d: run a newer px", dir, f.Schema, schema)
	}
	probe, err := os.CreateTemp(filepath.Join(dir, "roll"), "probe-*")
	if err != nil {
		return "", fmt.Errorf("data directory %s is not writable: %w (name another with --data)", dir, err)
	}
	return f.Identity, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// syncDirs lets the directory and what was made in it survive a power cut.
// Everybody does it: whoever made it may not have come so far yet, and nothing
// may be acknowledged in a file whose name can be lost.
func syncDirs(dir string) error {
	for _, path := range []string{filepath.Dir(dir), dir} {
		// A directory that is not ours: then we did not make what is in it.
		if err := roomlog.SyncDir(path); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// writeFile writes a file that nobody uses before it has its final name.
// synced: that name must not come to stand for half of it, not even by a power cut.
func writeFile(path string, b []byte, synced bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && synced {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Identity names this log for ever.
func (l *Log) Identity() string { return l.identity }

// file returns the partition, open or not.
func (l *Log) file(partition int) *part {
	if p, ok := l.parts.Load(partition); ok {
		return p.(*part)
	}
	p, _ := l.parts.LoadOrStore(partition, &part{log: l, partition: partition, path: filepath.Join(l.dir, "partitions", fmt.Sprintf("%03d.db", partition))})
	return p.(*part)
}

// part returns the partition's files, opened lazily; nil if it was never used
// and create is false.
func (l *Log) part(partition int, create bool) (*part, error) {
	p := l.file(partition)
	open, err := p.open(create)
	if err != nil || !open {
		return nil, err
	}
	return p, nil
}

// all lists the partitions that were asked for so far.
func (l *Log) all() (parts []*part) {
	l.parts.Range(func(_, p any) bool {
		parts = append(parts, p.(*part))
		return true
	})
	return parts
}

// CloseIdle lets go of a partition's files; the next use opens them again.
func (l *Log) CloseIdle(partition int) {
	if err := l.file(partition).close(); err != nil {
		l.logger.Warn("close partition", "partition", partition, "err", err)
	}
}

// Close lets go of everything, after calls under way.
func (l *Log) Close() error {
	close(l.stop)
	l.stopped.Wait()
	var errs []error
	for _, p := range l.all() {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

func (l *Log) checkpoint() {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.called:
		case <-next.C:
		}
		var soonest time.Time
		for _, p := range l.all() {
			due, at := p.due(time.Now())
			if !due {
				if soonest.IsZero() || !at.IsZero() && at.Before(soonest) {
					soonest = at
				}
				continue
			}
			if err := p.checkpoint(context.Background()); err != nil {
				l.logger.Debug("checkpoint", "partition", p.partition, "err", err)
			}
		}
		next.Stop()
		if !soonest.IsZero() {
			next.Reset(max(time.Until(soonest), checkpointPause))
		}
	}
}
