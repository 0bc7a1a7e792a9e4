package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/shard/roomlog"
)

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

// idleFor is how long a file stays open that nobody uses, and up to twice as long.
// An owner reads its owner records each second: what is held stays open.
const idleFor = 5 * time.Second

// Options configures a Log.
type Options struct {
	Cluster    string // name of the one cluster that the directory is for; empty: whichever it is
	Partitions int    // a constant of the cluster; 0: whatever it is
	Sync       string // empty: roomlog.SyncNormal
	Logger     *slog.Logger
}

// Log is the embedded room log in one directory.
type Log struct {
	dir      string
	identity string
	sync     string
	logger   *slog.Logger

	parts  sync.Map     // of *part, by partition
	opened atomic.Int64 // how many of them have open files

	called  chan struct{} // one slot: the checkpointer has something to look at
	stop    chan struct{}
	stopped sync.WaitGroup
}

var _ roomlog.Log = (*Log)(nil)

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
	identity, err := identify(dir, opts)
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
	p := l.file(partition)
	l.logClose(p, p.close())
}

func (l *Log) logClose(p *part, err error) {
	if err != nil {
		l.logger.Warn("close partition", "partition", p.partition, "err", err)
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

// call wakes the checkpointer: it has something new to look at.
func (l *Log) call() {
	select {
	case l.called <- struct{}{}:
	default:
	}
}

// checkpoint checkpoints what is due, and closes what is idle.
func (l *Log) checkpoint() {
	next := time.NewTimer(0)
	defer next.Stop()
	var sweep time.Time // when idle files are closed next
	for {
		select {
		case <-l.stop:
			return
		case <-l.called:
		case <-next.C:
		}
		now := time.Now()
		sweeping := !sweep.IsZero() && !now.Before(sweep)
		if sweeping || sweep.IsZero() {
			sweep = now.Add(idleFor)
		}
		var soonest time.Time
		for _, p := range l.all() {
			if sweeping {
				l.logClose(p, p.closeIdle())
			}
			due, at := p.due(now)
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
		switch {
		case l.opened.Load() == 0:
			sweep = time.Time{} // until something is opened, which calls
		case soonest.IsZero() || sweep.Before(soonest):
			soonest = sweep
		}
		next.Stop()
		if !soonest.IsZero() {
			next.Reset(max(time.Until(soonest), checkpointPause))
		}
	}
}
