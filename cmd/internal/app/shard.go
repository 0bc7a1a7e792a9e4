package app

import (
	"context"
	"sync"

	"positivity-exchange/membership"
	"positivity-exchange/shard"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
)

// Shard is one shard member.
type Shard struct {
	*member
	server  *shard.Server
	drained chan struct{} // closed when an operator's drain is done
	ready   chan struct{}
}

// NewShard binds a shard's addresses. Nothing is served before Run. The log
// may be shared by several members of one process and stays the caller's.
func NewShard(cfg Config, log roomlog.Log) (*Shard, error) {
	rooms, err := cfg.rooms()
	if err != nil {
		return nil, err
	}
	ln, public, err := cfg.listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	m, err := newMember(cfg, membership.RoleShard, public, log)
	if err != nil {
		ln.Close()
		return nil, err
	}
	s := &Shard{member: m, drained: make(chan struct{}), ready: make(chan struct{})}
	s.server = shard.New(shard.Options{
		Name: cfg.Name, Boot: m.boot, Cluster: cfg.Cluster, Listener: ln, TLS: m.secure, Log: log, Gossip: m.cluster,
		Census: m.census, Peers: shard.NewPeers(m.peers, m.cfg.Name, m.boot), Keys: m.keys, Rooms: rooms, Logger: m.logger,
		Keeper:    ownership.Options{NoFenceKill: cfg.NoFenceKill, Logger: m.logger},
		OnDrained: sync.OnceFunc(func() { close(s.drained) }),
	})
	return s, nil
}

// Ready is closed once the shard serves.
func (s *Shard) Ready() <-chan struct{} { return s.ready }

// Self is the member as gossip has it.
func (s *Shard) Self() membership.Member { return s.cluster.Self() }

// Run serves until ctx ends or an operator drained the shard, then gives its
// partitions up, leaves the cluster and returns after everything has ended.
func (s *Shard) Run(ctx context.Context) error {
	g := newGroup()
	defer s.close()
	defer g.stop()
	// The listener answers members from the first moment: a peer's refused
	// connection would mean that this boot is dead.
	g.Go("serve", s.server.Run)
	if err := s.enter(ctx, g); err != nil {
		return err
	}
	s.cluster.SetState(membership.StateActive)
	close(s.ready)
	select {
	case <-g.failed():
		// The name or the cluster is lost, or a part broke: nothing to hand over in order.
		return g.cause()
	case <-s.drained:
	case <-ctx.Done():
		if err := s.server.Drain(context.WithoutCancel(ctx), nil); err != nil {
			s.logger.Warn("drain", "err", err)
		}
	}
	s.leave()
	return g.cause()
}
