package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/peer"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// Place is where a process runs.
type Place struct {
	Host string // address it listens on; "" means 127.0.0.1
	// Start starts the process, in a network namespace for example; nil: cmd.Start.
	Start func(cmd *exec.Cmd) error
	Args  []string // more flags of px, as --data to another directory
}

// Options configures a Cluster; Dir and Binary are needed.
type Options struct {
	Dir     string             // logs and, unless Place says otherwise, data
	Binary  string             // px, from Build
	Shards  int                // at the start; 0: 3
	Routers int                // 0: 2
	Up      bool               // one px up with that many shards instead of processes
	NATS    []*natstest.Server // the room log; nil: SQLite
	Place   func(name string) Place
	Site    *Site // places processes on its machines; the cluster closes it
	// DiskSize is of a disk that the Site is to put below the data directory.
	DiskSize int64
	Args     []string // more flags of every process
}

// Cluster is the processes of one run.
type Cluster struct {
	opts  Options
	data  string
	keys  comms.Keys
	peers *peer.Pool

	mu      sync.Mutex
	all     []*Process // in the order of starting
	routers map[string]string
	claimed map[*Process]bool
	oneNATS bool // a server of the room log is away
	starts  int
}

// StartCluster starts the processes that opts ask for.
func StartCluster(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Shards == 0 {
		opts.Shards = 3
	}
	if opts.Routers == 0 {
		opts.Routers = 2
	}
	switch {
	case opts.Site != nil:
		opts.Place = opts.Site.place
	case opts.Place == nil:
		opts.Place = func(string) Place { return Place{} }
	}
	c := &Cluster{opts: opts, data: filepath.Join(opts.Dir, "data"), routers: map[string]string{}, claimed: map[*Process]bool{}}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if c.opts.Site != nil {
		if err := c.opts.Site.mount(c.data, c.opts.DiskSize); err != nil {
			return err
		}
	}
	if c.opts.Up {
		if _, err := c.StartUp("up"); err != nil {
			return err
		}
	} else {
		for i := range c.opts.Shards {
			if _, err := c.StartShard(fmt.Sprint("s", i+1)); err != nil {
				return err
			}
		}
		for i := range c.opts.Routers {
			if _, err := c.StartRouter(fmt.Sprint("r", i+1)); err != nil {
				return err
			}
		}
	}
	secret, _, err := membership.LoadSecret(c.data, "", "")
	if err != nil {
		return err
	}
	c.keys = comms.NewKeys(secret)
	c.peers = peer.NewPool(c.keys, "driver", membership.NewBoot(), nil)
	return ctx.Err()
}

// StartShard starts a shard and waits until it serves.
func (c *Cluster) StartShard(name string, more ...string) (*Process, error) {
	return c.launch("shard", name, more...)
}

// StartRouter starts a router and waits until it is ready. A name that ran
// before gets the addresses that it had.
func (c *Cluster) StartRouter(name string) (*Process, error) {
	p, err := c.launch("router", name)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.routers[name] = p.Client
	}
	return p, err
}

// StartUp starts a router and shards in one process.
func (c *Cluster) StartUp(name string) (*Process, error) {
	p, err := c.launch("up", name, "--no-client", "--shards", fmt.Sprint(c.opts.Shards))
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.routers[name] = p.Client
	}
	return p, err
}

// launch starts a process. One that fails to become ready is returned too, with
// the error. None can start on a full disk: whoever fills it frees it soon.
func (c *Cluster) launch(kind, name string, more ...string) (*Process, error) {
	for deadline := time.Now().Add(fullFor); ; pass(context.Background(), 200*time.Millisecond) {
		p, err := c.launchOnce(kind, name, more...)
		if err == nil || !strings.Contains(err.Error(), "no space left on device") || time.Now().After(deadline) {
			return p, err
		}
	}
}

// fullFor is longer than a disk is full.
const fullFor = 15 * time.Second

func (c *Cluster) launchOnce(kind, name string, more ...string) (*Process, error) {
	place := c.opts.Place(name)
	if place.Host == "" {
		place.Host = "127.0.0.1"
	}
	c.mu.Lock()
	c.starts++
	number, addr := c.starts, c.routers[name]
	c.mu.Unlock()
	p := &Process{
		Name: name, Kind: kind, Log: filepath.Join(c.opts.Dir, fmt.Sprintf("%02d-%s.log", number, name)),
		arm: filepath.Join(c.opts.Dir, fmt.Sprintf("arm-%02d-%s", number, name)), ended: make(chan struct{}),
	}
	if addr == "" {
		addr = place.Host + ":0"
	}
	args := []string{kind, "--data", c.data, "--gossip", place.Host + ":0"}
	switch kind {
	case "shard":
		args = append(args, "--name", name, "--listen", place.Host+":0")
	case "router":
		args = append(args, "--name", name, "--listen", addr, "--http", place.Host+":0")
	case "up":
		args = append(args, "--listen", addr, "--http", place.Host+":0")
	}
	if c.opts.NATS != nil {
		args = append(args, "--log", natstest.URLs(c.opts.NATS))
	}
	p.args = slices.Concat(args, c.opts.Args, place.Args, more)
	env, err := failpoints(p.arm)
	if err != nil {
		return p, err
	}
	p.cmd = exec.Command(c.opts.Binary, p.args...)
	p.cmd.Env = append(os.Environ(), env)
	err = launch(p, place.Start)
	if p.cmd.Process != nil {
		c.mu.Lock()
		c.all = append(c.all, p)
		c.mu.Unlock()
	}
	if err != nil {
		p.MayEnd()
	}
	return p, err
}

// Live lists the processes of a kind that have not ended, in the order of starting.
func (c *Cluster) Live(kind string) (list []*Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.all {
		if p.Kind == kind && p.Alive() {
			list = append(list, p)
		}
	}
	return list
}

// All lists every process that was started.
func (c *Cluster) All() []*Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// Named is the newest living process of a name; nil if there is none.
func (c *Cluster) Named(name string) *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Backward(c.all) {
		if p.Name == name && p.Alive() {
			return p
		}
	}
	return nil
}

// Routers lists the client addresses of all routers, whether they live or not:
// what clients are configured with.
func (c *Cluster) Routers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, addr := range c.routers {
		list = append(list, addr)
	}
	slices.Sort(list)
	return list
}

// NATS lists the servers of the room log; none on SQLite.
func (c *Cluster) NATS() []*natstest.Server { return c.opts.NATS }

// Data is the data directory of processes that Place gives no other.
func (c *Cluster) Data() string { return c.data }

// claim marks a shard as an episode's, unless it is one already or no healthy
// one would be left.
func (c *Cluster) claim(p *Process, left int) bool {
	free := 0
	for _, q := range c.Live("shard") {
		c.mu.Lock()
		if !c.claimed[q] {
			free++
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.claimed[p] || p.Kind == "shard" && free-1 < left {
		return false
	}
	c.claimed[p] = true
	return true
}

func (c *Cluster) unclaim(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claimed, p)
}

// claimNATS lets one episode at a time take a server of the room log away.
func (c *Cluster) claimNATS() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.oneNATS
	c.oneNATS = true
	return !had
}

func (c *Cluster) unclaimNATS() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.oneNATS = false
}

// Surprises tells of processes that ended and should not have.
func (c *Cluster) Surprises() (errs []error) {
	for _, p := range c.All() {
		p.mu.Lock()
		meant := p.meant
		p.mu.Unlock()
		if !meant && !p.Alive() {
			errs = append(errs, fmt.Errorf("%s ended by itself with %v: %s (its log: %s)", p.Name, p.cmd.ProcessState, p.lastLine(), p.Log))
		}
	}
	return errs
}

// Close ends every process and waits.
func (c *Cluster) Close() error {
	for _, p := range c.All() {
		p.Kill()
	}
	var errs []error
	if c.peers != nil {
		errs = append(errs, c.peers.Close())
	}
	if c.opts.Site != nil {
		errs = append(errs, c.opts.Site.Close())
	}
	return errors.Join(errs...)
}

// drainWithin is how long a shard may take to end in order: the drain's own
// deadline, its farewell, and what a loaded machine adds.
const drainWithin = 15 * time.Second
