package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
)

// member is what shards and routers have in common: a place in the cluster, an
// entry on the roll, and connections to the shards.
type member struct {
	cfg     Config
	boot    string
	keys    comms.Keys
	secure  *tls.Config // of the client listener; nil: plain
	dial    peer.Dial   // to shards
	peers   *peer.Pool
	cluster *membership.Cluster
	census  *ownership.Census
	logger  *slog.Logger
}

// newMember binds the gossip sockets; nothing runs yet.
func newMember(cfg Config, role membership.Role, client string, log roomlog.Log) (*member, error) {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	logger = logger.With("member", cfg.Name)
	secret, created, err := membership.LoadSecret(cfg.Data, cfg.SecretFile, cfg.Secret)
	if err != nil {
		return nil, err
	}
	if created {
		logger.Info("made the cluster's secret", "dir", cfg.Data)
	}
	// No refusal: with rooms in NATS the directory may hold what an earlier cluster left.
	if membership.OtherSecret(cfg.Data, secret) {
		logger.Warn("the secret given is not the one in the data directory: members that use that one are a cluster of their own", "dir", cfg.Data)
	}
	m := &member{cfg: cfg, boot: membership.NewBoot(), keys: comms.NewKeys(secret), logger: logger}
	if m.secure, m.dial, err = cfg.secure(role, client); err != nil {
		return nil, err
	}
	var gossip membership.Transport
	if cfg.Network != nil {
		if gossip, err = cfg.Network.Gossip(); err != nil {
			return nil, err
		}
	}
	m.peers = peer.NewPool(m.keys, cfg.Name, m.boot, m.dial)
	m.cluster, err = membership.New(membership.Options{
		Cluster: cfg.Cluster, Name: cfg.Name, Role: role, Client: client, Boot: m.boot,
		Bind: cfg.Gossip, Advertise: advertiseHost(cfg.Advertise), Join: cfg.Join, Dir: cfg.Data,
		Secret: secret, LogID: log.Identity(), Linker: newLinker(m.peers, logger), Transport: gossip, Logger: logger,
	})
	if err != nil {
		return nil, errors.Join(err, m.peers.Close())
	}
	process := roomlog.Process{Name: cfg.Name, Boot: m.boot, Role: string(role), Client: client, OS: roomlog.ThisProcess(), Alone: cfg.Alone}
	census := ownership.CensusOptions{Logger: logger, Alive: m.cluster.Alive}
	if role == membership.RoleShard {
		census.Uneasy = m.cluster.Uneasy // a router holds nothing that others may want
	}
	m.census = ownership.NewCensus(log, process, census)
	return m, nil
}

// enter joins the cluster and takes the name on the roll. The tasks it starts
// in g end when g's context does.
func (m *member) enter(ctx context.Context, g *group) error {
	g.Go("gossip", m.cluster.Run)
	select {
	case <-m.cluster.Ready():
	case <-g.failed():
		return g.cause()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := m.census.Enroll(ctx); err != nil {
		return err
	}
	g.Go("roll", m.census.Run)
	return nil
}

// leave tells the cluster and strikes the entry off the roll, each bounded.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	m.cluster.Leave()
	if err := m.census.Strike(ctx); err != nil {
		m.logger.Warn("strike the entry off the roll", "err", err)
	}
}

func (m *member) close() {
	if err := m.peers.Close(); err != nil {
		m.logger.Debug("close member connections", "err", err)
	}
}
