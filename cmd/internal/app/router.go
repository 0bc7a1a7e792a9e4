package app

import (
	"context"
	"net"

	"positivity-exchange/membership"
	"positivity-exchange/router"
	"positivity-exchange/shard/roomlog"
)

// Router is one router member.
type Router struct {
	*member
	listener, http net.Listener // http is nil if there is none
	router         *router.Router
	ready          chan struct{}
}

// NewRouter binds a router's addresses. Nothing is served before Run.
func NewRouter(cfg Config, log roomlog.Log) (*Router, error) {
	rooms, err := cfg.rooms()
	if err != nil {
		return nil, err
	}
	ln, public, err := cfg.listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	var web net.Listener
	if cfg.HTTP != "" { // else the kernel would choose a port, on every interface
		if web, err = cfg.bind(cfg.HTTP); err != nil {
			ln.Close()
			return nil, err
		}
	}
	m, err := newMember(cfg, membership.RoleRouter, public, log)
	if err != nil {
		closeAll(ln, web)
		return nil, err
	}
	r := &Router{member: m, listener: ln, http: web, ready: make(chan struct{})}
	r.router = router.New(router.Options{
		Name: cfg.Name, Boot: m.boot, Cluster: cfg.Cluster, Listener: ln, TLS: m.secure, HTTP: web, Gossip: m.cluster,
		Gone: m.census.Gone, Peers: m.peers, Dial: m.dial, Keys: m.keys, Rooms: rooms, Logger: m.logger,
	})
	return r, nil
}

// Ready is closed once the router serves: it is a member, greets and answers.
func (r *Router) Ready() <-chan struct{} { return r.ready }

// Self is the member as gossip has it.
func (r *Router) Self() membership.Member { return r.cluster.Self() }

// HTTPAddr is where health and status are answered, "" if nowhere.
func (r *Router) HTTPAddr() string {
	if r.http == nil {
		return ""
	}
	return r.http.Addr().String()
}

func closeAll(listeners ...net.Listener) {
	for _, ln := range listeners {
		if ln != nil {
			ln.Close()
		}
	}
}

// Run serves until ctx ends, then leaves the cluster and returns after
// everything has ended.
func (r *Router) Run(ctx context.Context) error {
	g := newGroup()
	defer r.close()
	defer g.stop()
	if err := r.enter(ctx, g); err != nil {
		closeAll(r.listener, r.http)
		return err
	}
	g.Go("serve", r.router.Run)
	r.cluster.SetState(membership.StateActive)
	close(r.ready)
	select {
	case <-g.failed():
		return g.cause()
	case <-ctx.Done():
	}
	r.leave()
	return g.cause()
}
