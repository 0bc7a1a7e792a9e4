package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

const (
	lookAtRoll  = 2 * time.Second  // at the start, at most
	usualRouter = "127.0.0.1:8080" // where px client looks without --router
)

// Up is a router and several shards in one process.
type Up struct {
	Router *Router
	Shards []*Shard
	log    roomlog.Log
}

// NewUp binds the addresses of a router and n shards named s1, s2 ... on a
// room log that Run closes at its end. cfg.Listen and cfg.HTTP are the router's.
func NewUp(cfg Config, n int) (up *Up, err error) {
	log, err := OpenLog(cfg)
	if err != nil {
		return nil, err
	}
	up = &Up{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, up.abandon())
			up = nil
		}
	}()
	if err := cfg.awaitNames(log, n); err != nil {
		return up, err
	}
	up.Router, err = NewRouter(cfg, log)
	if err != nil {
		return up, err
	}
	shard, err := cfg.shardsOfUp()
	if err != nil {
		return up, err
	}
	for i := range n {
		shard.Name = shardOfUp(i)
		s, err := NewShard(shard, log)
		if err != nil {
			return up, err
		}
		up.Shards = append(up.Shards, s)
	}
	return up, nil
}

func shardOfUp(i int) string { return fmt.Sprintf("s%d", i+1) }

// awaitNames refuses what could only wait for its names, and then not have
// them: a process of this machine has one, most likely another px up. One that
// is leaving is given the time for it; one that is stopped may be deposed, as ever.
func (c Config) awaitNames(log roomlog.Log, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookAtRoll)
	defer cancel()
	for {
		err := c.runsAlready(ctx, log, n)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c Config) runsAlready(ctx context.Context, log roomlog.Log, n int) error {
	roll, err := log.Entries(ctx)
	if err != nil {
		return nil // who enrolls next says so
	}
	find := func(fits func(roomlog.Entry) bool) *roomlog.Entry {
		if i := slices.IndexFunc(roll, fits); i >= 0 {
			return &roll[i]
		}
		return nil
	}
	me := roomlog.ThisProcess()
	for i := range n {
		shard := find(func(e roomlog.Entry) bool { return e.Name == shardOfUp(i) && e.OS != me && runs(e.OS) })
		if shard == nil {
			continue
		}
		what, join := "shard "+shard.Name, "px client"
		if router := find(func(e roomlog.Entry) bool { return e.OS == shard.OS && e.Role == string(membership.RoleRouter) }); router != nil {
			what = "px up"
			if router.Client != usualRouter {
				join += " --router " + router.Client
			}
		}
		return fmt.Errorf("a %s runs on %s already (pid %d): %s joins it", what, cmp.Or(c.Log, c.Data), shard.OS.PID, join)
	}
	return nil
}

// runs reports whether a process is known to live, and is not stopped.
func runs(p roomlog.OSProcess) bool {
	known, gone := roomlog.ProcessGone(p)
	if !known || gone {
		return false
	}
	state, _, err := roomlog.ProcessStat(p.PID)
	return err == nil && state != 'T'
}

// shardsOfUp is what the shards beside a router are configured with: they are
// where it is, each at ports of its own.
func (c Config) shardsOfUp() (Config, error) {
	anyPort := func(addr string) (string, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return "", fmt.Errorf("address %q: %w", addr, err)
		}
		return net.JoinHostPort(host, "0"), nil
	}
	var err error
	if c.Listen, err = anyPort(c.Listen); err != nil {
		return c, err
	}
	if c.Gossip != "" {
		if c.Gossip, err = anyPort(c.Gossip); err != nil {
			return c, err
		}
	}
	c.Advertise, c.HTTP = advertiseHost(c.Advertise), ""
	return c, nil
}

// abandon lets go of what NewUp bound before it failed.
func (u *Up) abandon() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if u.Router != nil {
		u.Router.Run(ctx) //nolint:errcheck // it only closes what was bound
	}
	for _, s := range u.Shards {
		s.Run(ctx) //nolint:errcheck // likewise
	}
	return u.log.Close()
}

// Run serves until ctx ends: shards drain first, then the router leaves.
func (u *Up) Run(ctx context.Context) error {
	routerCtx, stopRouter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRouter()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var shards, rest sync.WaitGroup
	errs := make([]error, len(u.Shards)+1)
	for i, s := range u.Shards {
		shards.Go(func() {
			if errs[i] = s.Run(ctx); errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", s.cfg.Name, errs[i])
				cancel()
			}
		})
	}
	rest.Go(func() {
		if errs[len(u.Shards)] = u.Router.Run(routerCtx); errs[len(u.Shards)] != nil {
			cancel()
		}
	})
	shards.Wait()
	stopRouter()
	rest.Wait()
	for i, err := range errs {
		if errors.Is(err, context.Canceled) {
			errs[i] = nil
		}
	}
	return errors.Join(append(errs, u.log.Close())...)
}

// Ready waits until the router and all shards serve.
func (u *Up) Ready(ctx context.Context) error {
	waits := []<-chan struct{}{u.Router.Ready()}
	for _, s := range u.Shards {
		waits = append(waits, s.Ready())
	}
	for _, ready := range waits {
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
