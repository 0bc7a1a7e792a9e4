package shard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
	"positivity-exchange/shard/fanout"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/parking"
	"positivity-exchange/shard/roomlog"
)

// Options configures a Server; all but TLS, Rooms, Logger and OnDrained are needed.
type Options struct {
	Name, Boot, Cluster string
	Listener            net.Listener // the Server closes it
	TLS                 *tls.Config  // of the listener; nil: plain
	Log                 roomlog.Log
	Gossip              ownership.Gossip
	Census              *ownership.Census
	Peers               ownership.Peers
	Keys                comms.Keys
	Rooms               []comms.Room // exist from the first start
	Keeper              ownership.Options
	Logger              *slog.Logger
	OnDrained           func() // called once an operator's drain has ended
}

// Server is one shard.
type Server struct {
	opts   Options
	logger *slog.Logger
	keeper *ownership.Keeper
	pool   *fanout.Pool
	lot    *parking.Lot         // of silent sessions
	away   *roomlog.Outage      // of rooms that a partition is opened with
	behind *roomlog.Outage      // of what sessions are to be caught up with
	seeds  map[int][]comms.Room // of the rooms file, by partition

	// Silences after which a session is asked and parked, and lingerFor; a test's are shorter.
	ping, patience, linger time.Duration

	ctx    context.Context // of everything the Server started
	cancel context.CancelFunc
	wg     sync.WaitGroup

	committed atomic.Int64 // when a commit last ended, Unix time in ns

	mu       sync.Mutex // below a part's mu: none is taken with it held
	parts    map[int]*part
	sessions map[*session]struct{}
	watchers map[*watcher]struct{}
}

// New makes a Server. Nothing runs before Run.
func New(opts Options) *Server {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		opts: opts, logger: opts.Logger, pool: fanout.NewPool(comms.WriteTimeout), lot: parking.NewLot(), ping: comms.PingAfter, patience: parkAfter, linger: lingerFor,
		seeds: map[int][]comms.Room{}, parts: map[int]*part{}, sessions: map[*session]struct{}{}, watchers: map[*watcher]struct{}{},
	}
	s.away = roomlog.NewOutage(s.logger, "partitions cannot be opened; the log is asked again", "partitions are opened again")
	s.behind = roomlog.NewOutage(s.logger, "sessions that fell behind are ended, since the log does not give what they missed", "")
	for _, r := range opts.Rooms {
		p := membership.Partition(r.Name)
		s.seeds[p] = append(s.seeds[p], r)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.keeper = ownership.NewKeeper(opts.Log, opts.Census, opts.Gossip, opts.Peers, (*rooms)(s), opts.Keeper)
	return s
}

// Run accepts and serves until ctx ends; it returns after everything it started has ended.
func (s *Server) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer s.wg.Wait()
	defer s.cancel()
	wg.Go(func() { s.pool.Run(ctx) }) //nolint:errcheck // ends with ctx
	wg.Go(func() {
		if err := s.lot.Run(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("silent sessions keep a goroutine each", "err", err)
		}
	})
	wg.Go(func() { s.keeper.Run(ctx) }) //nolint:errcheck // ends with ctx
	s.wg.Go(func() { s.presenceLoop(ctx) })
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	return tlsconn.Serve(ctx, s.opts.Listener, s.logger, func(nc net.Conn) {
		s.wg.Add(1)
		go s.serve(nc)
	})
}

// Drain gives all partitions up and tells the sessions to go. An error tells
// what could not be given up; the shard is to leave all the same.
func (s *Server) Drain(ctx context.Context, progress func(held int)) error {
	return s.keeper.Drain(ctx, progress)
}

// Status is this shard's line of the cluster's status.
func (s *Server) Status() comms.StatusReport {
	self := s.opts.Gossip.Self()
	s.mu.Lock()
	m := comms.MemberStatus{Name: self.Name, Role: string(self.Role), State: string(self.State), Client: self.Client, Gossip: self.Gossip, Boot: self.Boot, Cut: self.Cut}
	for sess := range s.sessions {
		if sess.role == comms.AsClient {
			m.Sessions++
		}
	}
	parts := make([]*part, 0, len(s.parts))
	for _, p := range s.parts {
		parts = append(parts, p)
	}
	s.mu.Unlock()
	for _, p := range parts {
		p.mu.Lock()
		m.Rooms += len(p.rooms)
		p.mu.Unlock()
	}
	m.Owned = len(s.keeper.Held())
	return comms.StatusReport{Cluster: s.opts.Cluster, Partitions: membership.Partitions, Table: fmt.Sprintf("%016x", s.opts.Gossip.Table().Version()), Members: []comms.MemberStatus{m}}
}

// holdWait bounds how long a command waits for its partition to be taken over.
const holdWait = time.Second

// part returns the partition that room hashes to, held by us and open.
// Errors are *comms.Error, or *ownership.RedirectError.
func (s *Server) part(ctx context.Context, room string) (*part, error) {
	partition := membership.Partition(room)
	deadline := time.Now().Add(holdWait)
	for {
		h, err := s.keeper.Hold(ctx, partition)
		if err == nil {
			p, err := s.opened(ctx, h)
			switch {
			case err == nil:
				s.away.Note(nil)
				return p, nil
			case errors.Is(err, errOver) && ctx.Err() == nil && time.Now().Before(deadline):
				continue
			}
			if !errors.Is(err, errOver) {
				s.away.Note(err, "partition", partition)
			}
			return nil, &comms.Error{Code: comms.CodeStorage, Message: "the room's store cannot be read just now; try again", Retry: 500}
		}
		var to *ownership.RedirectError
		switch {
		case errors.As(err, &to):
			return nil, err
		case ctx.Err() != nil:
			return nil, &comms.Error{Code: comms.CodeShutdown, Message: "the shard is stopping; ask a router", Retry: 200}
		case time.Now().After(deadline):
			if errors.Is(err, ownership.ErrNotReady) {
				return nil, &comms.Error{Code: comms.CodeNotReady, Message: "the room is being taken over; try again", Retry: 200}
			}
			return nil, &comms.Error{Code: comms.CodeStorage, Message: "the room's store does not answer just now; try again", Retry: 500}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// errOver tells that a holding ended before its serving side was opened.
var errOver = errors.New("the holding is over")

// opened returns the serving side of a holding, made at its first use. Whoever
// asks may have been told of the holding long ago: made for one that is over, a
// part would be found by those who hold the partition later. A holding that is
// not over here ends in drop, which finds what is made, and takes a part off the
// list before it ends it: what is on the list is not over.
func (s *Server) opened(ctx context.Context, h ownership.Holding) (*part, error) {
	s.mu.Lock()
	p := s.parts[h.Partition]
	if p == nil || p.first > h.Epoch {
		if !s.keeper.Holds(h.Partition, h.Epoch) {
			s.mu.Unlock()
			return nil, errOver
		}
		p = newPart(s, h)
		s.parts[h.Partition] = p
	}
	s.mu.Unlock()
	return p, p.seed(ctx)
}

func (s *Server) held(partition int) *part {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[partition]
}
