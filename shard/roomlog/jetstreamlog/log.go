package jetstreamlog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"positivity-exchange/shard/roomlog"
)

// How long a call goes on trying. The election of a stream's leader takes 4 to
// 9 s after the old one was killed: an append waits for it, since its outcome
// can then be told; all else is cheaply done again by its caller.
const (
	appendFor  = 10 * time.Second
	ownerFor   = 3 * time.Second
	readFor    = 2 * time.Second
	openFor    = 20 * time.Second
	connectFor = 3 * time.Second
	closeFor   = time.Second // calls under way at Close
)

// Log is the room log in JetStream streams, as one process sees it.
type Log struct {
	nc       *nats.Conn
	line     *connection
	js       jetstream.JetStream
	replies  *replies
	cluster  string
	identity string
	logger   *slog.Logger

	parts []*part

	hintMu sync.Mutex
	hints  map[string][]place // by subject: where records were seen

	ledMu sync.Mutex
	ledAt map[string]time.Time // by stream: when its leader had a majority

	ctx    context.Context // ends calls under way
	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

var _ roomlog.Log = (*Log)(nil)

// part is what a writer knows of its partition.
type part struct {
	number int
	stream string
	filter string // of everything of the partition: each write's expectation is about it
	owner  string // subject of the owner record
	taken  string

	// seen is the newest stream sequence of our own writes: what does not have
	// it yet is not believed, not even a leader (one just elected answers before
	// it has caught up).
	seen atomic.Uint64

	record atomic.Pointer[ownerAt] // as it was read or written last

	mu    sync.Mutex        // one write in flight; guards what follows
	epoch uint64            // of the ownership that last and rooms belong to; 0: nothing is known
	last  uint64            // stream sequence of the partition's newest message
	rooms map[string]uint64 // head sequences of rooms written to
}

// maxRooms bounds a part's rooms: they are read again when needed.
const maxRooms = 4096

// Open connects, makes the streams that are missing and checks those that are
// there. A process opens a log once and shares it among its members.
func Open(opts Options) (*Log, error) {
	urls, err := opts.check()
	if err != nil {
		return nil, err
	}
	line := newConnection()
	nc, err := connect(urls, opts, line.lost)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Log{nc: nc, line: line, cluster: opts.Cluster, logger: opts.Logger, hints: map[string][]place{}, ledAt: map[string]time.Time{}, ctx: ctx, cancel: cancel}
	for p := range opts.Partitions {
		base := fmt.Sprintf("%s.%d.", opts.Cluster, p)
		l.parts = append(l.parts, &part{number: p, stream: recordsName(opts.Cluster, p%recordStreams), filter: base + ">", owner: base + "_owner", taken: base + "_taken"})
	}
	if l.replies, err = newReplies(nc); err == nil {
		l.js, err = jetstream.New(nc)
	}
	if err == nil {
		err = l.prepare(opts)
	}
	if err != nil {
		cancel()
		nc.Close()
		return nil, fmt.Errorf("room log at %s: %w", Redacted(opts.URL), err)
	}
	return l, nil
}

// Identity names this log for ever.
func (l *Log) Identity() string { return l.identity }

// CloseIdle forgets what is known of a partition; the next use reads it again.
func (l *Log) CloseIdle(partition int) {
	p, err := l.part(partition)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.forget()
	p.seen.Store(0)
	p.mu.Unlock()
}

// forget makes the next write look at the log first. The caller holds p.mu.
func (p *part) forget() { p.epoch, p.last, p.rooms = 0, 0, nil }

func (l *Log) part(partition int) (*part, error) {
	if partition < 0 || partition >= len(l.parts) {
		return nil, fmt.Errorf("%w: there is no partition %d", roomlog.ErrRefused, partition)
	}
	return l.parts[partition], nil
}

// begin bounds a call and counts it; done must follow.
func (l *Log) begin(ctx context.Context, bound time.Duration) (_ context.Context, done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, fmt.Errorf("%w: the log is closed", roomlog.ErrRefused)
	}
	l.calls.Add(1)
	ctx, cancel := context.WithTimeout(ctx, bound)
	stop := context.AfterFunc(l.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		l.calls.Done()
	}, nil
}

// Close lets go of the connection, after calls under way.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	hurry := time.AfterFunc(closeFor, l.cancel)
	l.calls.Wait()
	hurry.Stop()
	l.cancel()
	l.nc.Close()
	return nil
}
