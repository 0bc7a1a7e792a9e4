package router

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/lobby"
	"positivity-exchange/comms/peer"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
)

// Gossip is what a router needs of the cluster. *membership.Cluster has it.
type Gossip interface {
	Self() membership.Member
	Table() *membership.Table
	Members() []membership.Member
	Watch() (changed <-chan struct{}, stop func())
}

// Options configures a Router; all but TLS, Dial, Rooms and Logger are needed.
type Options struct {
	Name, Boot, Cluster string
	Listener, HTTP      net.Listener // the Router closes them
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
	ready  chan struct{}
	lobby  *lobby.Lobby

	mu    sync.Mutex
	conns map[*conn]struct{}
	lists map[int][]comms.Room // rooms by partition, as the shards reported
	parts map[int][]comms.Room // reports under way
	names map[string]comms.Room
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
		lists: map[int][]comms.Room{}, parts: map[int][]comms.Room{}, names: map[string]comms.Room{},
	}
	for _, room := range opts.Rooms {
		r.names[room.Name] = room
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Ready is closed once every partition's rooms were reported.
func (r *Router) Ready() <-chan struct{} { return r.ready }

// Run accepts and serves until ctx ends; it returns after everything it started has ended.
func (r *Router) Run(ctx context.Context) error {
	defer r.wg.Wait()
	defer r.cancel()
	stop := context.AfterFunc(ctx, func() {
		r.cancel()
		r.opts.Listener.Close() //nolint:errcheck // ends the accept below
	})
	defer stop()
	r.wg.Go(func() { r.serveHTTP(r.ctx) })
	r.wg.Go(func() { r.watchShards(r.ctx) })
	r.wg.Go(func() { r.watchGone(r.ctx) })
	for {
		nc, err := r.opts.Listener.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept: %w", err)
			}
			r.logger.Warn("accept", "err", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		r.wg.Go(func() { r.serve(nc, true) })
	}
}

// watchShards keeps one watch on every shard's rooms.
func (r *Router) watchShards(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	changed, stop := r.opts.Gossip.Watch()
	defer stop()
	running := map[string]context.CancelFunc{}
	for {
		seen := map[string]bool{}
		for _, m := range r.opts.Gossip.Members() {
			if m.Role != membership.RoleShard {
				continue
			}
			seen[m.Boot] = true
			if running[m.Boot] == nil {
				watchCtx, cancel := context.WithCancel(ctx)
				running[m.Boot] = cancel
				wg.Go(func() {
					for watchCtx.Err() == nil {
						if err := r.opts.Peers.Watch(watchCtx, m.Client, r.report); err != nil {
							r.logger.Debug("watch rooms", "shard", m.Name, "err", err)
						}
						select {
						case <-watchCtx.Done():
						case <-time.After(200 * time.Millisecond):
						}
					}
				})
			}
		}
		for boot, cancel := range running {
			if !seen[boot] {
				cancel()
				delete(running, boot)
			}
		}
		select {
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return
		case <-changed:
		}
	}
}

// report takes one page of a partition's rooms.
func (r *Router) report(p comms.RoomReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.First {
		r.parts[p.Partition] = nil
	}
	r.parts[p.Partition] = append(r.parts[p.Partition], p.Rooms...)
	if p.More {
		return
	}
	list := r.parts[p.Partition]
	delete(r.parts, p.Partition)
	for _, room := range r.lists[p.Partition] {
		delete(r.names, room.Name)
	}
	r.lists[p.Partition] = list
	for _, room := range list {
		r.names[room.Name] = room
	}
	if len(r.lists) == membership.Partitions {
		select {
		case <-r.ready:
		default:
			close(r.ready)
		}
	}
}

// greeting lists the first rooms: those of the rooms file, then the others.
func (r *Router) greeting() []comms.Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]comms.Room, 0, len(r.opts.Rooms))
	first := map[string]bool{}
	for _, room := range r.opts.Rooms {
		if now, ok := r.names[room.Name]; ok {
			room = now
		}
		list = append(list, room)
		first[room.Name] = true
	}
	var others []comms.Room
	for name, room := range r.names {
		if !first[name] {
			others = append(others, room)
		}
	}
	slices.SortFunc(others, func(a, b comms.Room) int { return strings.Compare(a.Name, b.Name) })
	list = append(list, others...)
	return list[:min(len(list), comms.GreetingRooms)]
}

// list answers ListRooms.
func (r *Router) list(q comms.ListRooms) comms.RoomList {
	limit := q.Limit
	if limit == 0 {
		limit = comms.MaxPage
	}
	r.mu.Lock()
	var rooms []comms.Room
	for name, room := range r.names {
		if strings.HasPrefix(name, q.Prefix) && name > q.After {
			rooms = append(rooms, room)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(rooms, func(a, b comms.Room) int { return strings.Compare(a.Name, b.Name) })
	answer := comms.RoomList{Rooms: rooms, Tag: q.Tag}
	if len(rooms) > limit {
		answer.Rooms, answer.Next = rooms[:limit], rooms[limit-1].Name
	}
	return answer
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

// Status asks every shard and returns the whole cluster's state. Other routers
// are not asked: members talk to shards only.
func (r *Router) Status(ctx context.Context) comms.StatusReport {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	members := r.opts.Gossip.Members()
	report := comms.StatusReport{Cluster: r.opts.Cluster, Partitions: membership.Partitions, Table: fmt.Sprintf("%016x", r.opts.Gossip.Table().Version()), Members: make([]comms.MemberStatus, len(members))}
	var wg sync.WaitGroup
	for i, m := range members {
		report.Members[i] = comms.MemberStatus{Name: m.Name, Role: string(m.Role), State: string(m.State), Client: m.Client, Gossip: m.Gossip, Boot: m.Boot, Unknown: true, Cut: m.Cut}
		if m.Role != membership.RoleShard {
			continue
		}
		wg.Go(func() {
			e, err := r.opts.Peers.Call(ctx, m.Client, comms.Status{})
			if s, ok := e.(comms.StatusReport); err == nil && ok && len(s.Members) == 1 && s.Members[0].Boot == m.Boot {
				now := &report.Members[i]
				now.Owned, now.Rooms, now.Sessions, now.Unknown = s.Members[0].Owned, s.Members[0].Rooms, s.Members[0].Sessions, false
			}
		})
	}
	wg.Wait()
	r.mu.Lock()
	sessions := len(r.conns)
	r.mu.Unlock()
	for i := range report.Members {
		if report.Members[i].Boot == r.opts.Boot {
			report.Members[i].Sessions, report.Members[i].Unknown = sessions, false
		}
	}
	return report
}

// unready says why a client that came now could not talk, "" if it could. Who
// was ready does not stay so: shards die, and a full disk or a store that is
// away cuts them all.
func (r *Router) unready() string {
	shards := r.opts.Gossip.Table().Shards()
	if len(shards) == 0 {
		return "no shard serves"
	}
	if !slices.ContainsFunc(shards, func(m membership.Member) bool { return !m.Cut }) {
		return "all shards are cut off from the room log"
	}
	select {
	case <-r.ready:
		return ""
	default:
		return "the shards have not reported all rooms yet"
	}
}

func (r *Router) serveHTTP(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := r.unready(); why != "" {
			http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(r.Status(req.Context())) //nolint:errcheck // the asker went away
	})
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(r.logger.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // it is over
	defer stop()
	if err := server.Serve(r.opts.HTTP); err != nil && ctx.Err() == nil {
		r.logger.Error("http", "err", err)
	}
}
