package twin

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/membership"
	"positivity-exchange/router"
	"positivity-exchange/shard"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
)

// process is one shard or router: the real thing but for its clock, network,
// gossip and log.
type process struct {
	name    string
	role    membership.Role
	cluster *cluster
	host    *host
	port    int
	gossip  *view
	log     *faultyLog
	census  *ownership.Census
	cancel  context.CancelFunc // ends it in order: SIGTERM
	told    context.Context    // ended by cancel
	end     context.CancelFunc // ends it at once
	ended   chan struct{}      // closed when all of it has ended
	err     error              // why it ended by itself, once ended is closed
}

// alive tells whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// start runs a process. at names the IP and port to take, or nothing.
func (c *cluster) start(name string, role membership.Role, at string) *process {
	ip, port := "", 0
	if host, text, err := net.SplitHostPort(at); err == nil {
		ip = host
		port, _ = strconv.Atoi(text) //nolint:errcheck // an address of ours
	}
	h := c.network.host(ip)
	ln := h.Listen(port)
	p := &process{name: name, role: role, cluster: c, host: h, port: ln.port, ended: make(chan struct{})}
	logger := c.logger.With("member", name)
	self := membership.Member{Name: name, Boot: membership.NewBoot(), Role: role, State: membership.StateJoining, Client: ln.Addr().String()}
	p.gossip = c.gossip.add(h, self)
	p.log = &faultyLog{Log: c.storeOf(), host: h, counts: &c.counts, late: &c.late, rng: rand.New(rand.NewPCG(c.seed, uint64(len(c.processes))))}
	peers := peer.NewPool(c.keys, name, self.Boot, h.Dial)
	p.census = ownership.NewCensus(p.log, roomlog.Process{Name: name, Boot: self.Boot, Role: string(role), Client: self.Client, Alone: true},
		ownership.CensusOptions{Logger: logger, Alive: p.gossip.Alive})
	drain := func(context.Context) error { return nil }
	var serve func(context.Context) error
	if role == membership.RoleShard {
		server := p.shard(ln, peers, logger)
		serve, drain = server.Run, func(ctx context.Context) error { return server.Drain(ctx, nil) }
	} else {
		serve = p.router(ln, peers, logger).Run
	}
	ctx, cancel := context.WithCancel(context.Background())
	killed, end := context.WithCancel(context.Background())
	p.told, p.cancel, p.end = ctx, cancel, end
	c.processes = append(c.processes, p)
	c.running.Go(func() {
		defer close(p.ended)
		defer peers.Close() //nolint:errcheck // never fails
		p.err = p.run(ctx, killed, serve, drain)
		if !p.host.isDead() {
			p.host.kill(false) // an end of the process closes what it had open
		}
		c.gossip.remove(p.gossip)
		if p.err != nil {
			logger.Info("ended", "err", p.err)
		}
	})
	return p
}

// run is the life of a process, as cmd/internal/app has it: serve, enroll,
// serve rooms, and give everything up once ctx ends. killed ends it at once.
func (p *process) run(ctx, killed context.Context, serve, drain func(context.Context) error) error {
	all, stop := context.WithCancelCause(killed)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop(nil)
	task := func(f func(context.Context) error) {
		tasks.Go(func() {
			if err := f(all); err != nil {
				stop(err)
			}
		})
	}
	task(serve)
	p.gossip.SetState(membership.StateJoining)
	enrolling, cancel := context.WithCancel(all)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	if err := p.census.Enroll(enrolling); err != nil {
		return err
	}
	task(p.census.Run)
	p.gossip.SetState(membership.StateActive)
	select {
	case <-all.Done():
		return context.Cause(all)
	case <-ctx.Done():
	}
	err := drain(all)
	if all.Err() != nil {
		return context.Cause(all)
	}
	p.gossip.SetState(membership.StateLeaving)
	p.cluster.gossip.remove(p.gossip)
	limited, done := context.WithTimeout(all, 3*time.Second)
	defer done()
	if struck := p.census.Strike(limited); err == nil {
		err = struck
	}
	return err
}

func (p *process) shard(ln net.Listener, peers *peer.Pool, logger *slog.Logger) *shard.Server {
	self := p.gossip.Self()
	return shard.New(shard.Options{
		Name: p.name, Boot: self.Boot, Cluster: "twin", Listener: ln, Log: p.log, Gossip: p.gossip, Census: p.census,
		Peers: shard.NewPeers(peers, p.name, self.Boot), Keys: p.cluster.keys, Rooms: p.cluster.rooms, Logger: logger,
		Keeper: ownership.Options{Logger: logger},
	})
}

func (p *process) router(ln net.Listener, peers *peer.Pool, logger *slog.Logger) *router.Router {
	return router.New(router.Options{
		Name: p.name, Boot: p.gossip.Self().Boot, Cluster: "twin", Listener: ln, HTTP: p.host.Listen(0), Gossip: p.gossip,
		Gone: p.census.Gone, Peers: peers, Dial: p.host.Dial, Keys: p.cluster.keys, Rooms: p.cluster.rooms, Logger: logger,
	})
}

// addr is where clients find it.
func (p *process) addr() string { return net.JoinHostPort(p.host.ip, strconv.Itoa(p.port)) }

// kill ends it as SIGKILL does, or with its machine.
func (p *process) kill(dark bool) {
	p.host.kill(dark)
	p.end()
}

func (h *host) isDead() bool {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	return h.dead
}

func newKeys() comms.Keys {
	secret := sha256.Sum256([]byte("twin"))
	return comms.NewKeys(secret[:])
}
