package router

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/lobby"
	"positivity-exchange/comms/peer"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
)

// Gossip is what a router needs of the cluster. *membership.Cluster has it.
type Gossip interface {
	Table() *membership.Table
	Members() []membership.Member
	Watch() (changed <-chan struct{}, stop func())
}

// Options configures a Router; all but HTTP, TLS, Dial, Rooms and Logger are needed.
type Options struct {
	Name, Boot, Cluster string
	Listener, HTTP      net.Listener // the Router closes them; no HTTP: health and status are not answered
	TLS                 *tls.Config  // of Listener; nil: plain
	Gossip              Gossip
	Gone                func(boot string) bool // whether a shard is gone for good
	Peers               *peer.Pool
	Dial                peer.Dial // to shards, for ancestors; nil: TCP
	Keys                comms.Keys
	Rooms               []comms.Room // of the rooms file, listed first
	Logger              *slog.Logger
}

// Router is one router.
type Router struct {
	opts   Options
	logger *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ready  chan struct{} // closed once every partition's rooms were reported, or that nobody can
	lobby  *lobby.Lobby

	directory atomic.Pointer[directory] // changed with mu held
	stale     atomic.Bool               // it lacks what is in changed; set with mu held

	mu    sync.Mutex
	conns map[*conn]struct{}
	lists map[int][]comms.Room // rooms by partition, as the shards reported
	pages map[int][]comms.Room // of reports that are not whole yet

	changed map[int][]comms.Room // partitions reported since the directory was made: what it has of them
	failed  map[int]string       // partitions whose rooms no shard can tell, and why
}

// New makes a Router. Nothing runs before Run.
func New(opts Options) *Router {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Dial == nil {
		opts.Dial = func(ctx context.Context, addr string) (net.Conn, error) { return tlsconn.Dial(ctx, addr, nil) }
	}
	r := &Router{
		opts: opts, logger: opts.Logger, ready: make(chan struct{}), lobby: lobby.New(0), conns: map[*conn]struct{}{},
		lists: map[int][]comms.Room{}, pages: map[int][]comms.Room{}, changed: map[int][]comms.Room{}, failed: map[int]string{},
	}
	r.directory.Store(newDirectory(sorted(opts.Rooms), opts.Rooms))
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Run accepts and serves until ctx ends; it returns after everything it started has ended.
func (r *Router) Run(ctx context.Context) error {
	defer r.wg.Wait()
	defer r.cancel()
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	if r.opts.HTTP != nil {
		r.wg.Go(func() { r.serveHTTP(r.ctx) })
	}
	r.wg.Go(func() { membership.EachShard(r.ctx, r.opts.Gossip, r.watchShard) })
	r.wg.Go(func() { r.watchGone(r.ctx) })
	return tlsconn.Serve(ctx, r.opts.Listener, r.logger, func(nc net.Conn) {
		r.wg.Go(func() { r.serve(nc, true) })
	})
}

// watchShard keeps one watch on a shard's rooms.
func (r *Router) watchShard(ctx context.Context, m membership.Member) {
	for ctx.Err() == nil {
		if err := r.opts.Peers.Watch(ctx, m.Client, r.report); err != nil {
			r.logger.Debug("watch rooms", "shard", m.Name, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// locate guesses from the table; owners alone know, so the epoch is 0.
func (r *Router) locate(room string) (membership.Member, comms.Event) {
	p := membership.Partition(room)
	m, ok := r.opts.Gossip.Table().Owner(p)
	if !ok {
		return m, comms.Error{Code: comms.CodeNoShard, Message: "no shard serves just now; try again", Room: room, Retry: 500}
	}
	return m, comms.Located{Room: room, Partition: p, Shard: m.Name, Addr: m.Client}
}
