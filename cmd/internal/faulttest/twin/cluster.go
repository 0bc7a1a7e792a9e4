package twin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// cluster is all processes of one run, and everything between them.
type cluster struct {
	seed    uint64
	logger  *slog.Logger
	network *network
	gossip  *gossip
	store   *memlog.Store
	defect  Defect
	keys    comms.Keys
	rooms   []comms.Room // of the rooms file

	counts  counts
	running sync.WaitGroup // processes
	late    sync.WaitGroup // writes on their way to the log

	// Of the run's goroutine alone.
	processes []*process // all that were ever started
	current   map[string]*process
	users     []*user

	history history
}

// counts is what the log saw.
type counts struct {
	acquired, refused, fenced, unknown, appends atomic.Int64
}

func (c *counts) appended(err error) {
	switch {
	case err == nil:
		c.appends.Add(1)
	case errors.Is(err, roomlog.ErrFenced):
		c.fenced.Add(1)
	}
}

// history hands what the clients see to the checker, in order.
type history struct {
	mu      sync.Mutex
	checker *checker.Checker
	digest  uint64
	lines   []string
	ended   bool
}

func (h *history) add(e checker.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	e.Time = time.Now().UnixNano()
	line := e.String()
	h.digest = h.digest*1099511628211 ^ checker.Hash(line)
	h.lines = append(h.lines, line)
	h.checker.Add(e)
}

const (
	firstShards = 3
	routers     = 2
	busyRooms   = 5
	quietRooms  = 3
)

func newCluster(seed uint64, opts Options) *cluster {
	n := newNetwork(rand.New(rand.NewPCG(seed, 1)))
	c := &cluster{
		seed: seed, logger: opts.Logger, network: n, gossip: newGossip(n, rand.New(rand.NewPCG(seed, 2))), store: memlog.NewStore(), defect: opts.Defect,
		keys: newKeys(), current: map[string]*process{},
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	c.history.checker = checker.New(checker.Options{PartitionOf: membership.Partition, FewestMoves: -1})
	for i := range busyRooms {
		c.rooms = append(c.rooms, comms.Room{Name: fmt.Sprint("busy-", i)})
	}
	for i := range quietRooms {
		c.rooms = append(c.rooms, comms.Room{Name: fmt.Sprint("quiet-", i)})
	}
	return c
}

// storeOf is a process's access to the store, with the planted defect if any.
func (c *cluster) storeOf() roomlog.Log { return c.defect.plant(c) }

// boot starts the first processes and waits until they serve.
func (c *cluster) boot() error {
	for i := range firstShards {
		c.begin(fmt.Sprint("s", i+1), membership.RoleShard, "")
	}
	for i := range routers {
		c.begin(fmt.Sprint("r", i+1), membership.RoleRouter, "")
	}
	return c.until("the first start", 10*time.Second, c.agree)
}

// begin starts a process that takes the place of the last of its name.
func (c *cluster) begin(name string, role membership.Role, at string) *process {
	p := c.start(name, role, at)
	c.current[name] = p
	return p
}

// agree tells whether all that run have one table, which has all of them.
func (c *cluster) agree() bool {
	shards := 0
	var first *membership.Table
	for _, p := range c.living("") {
		t := p.gossip.Table()
		if first == nil {
			first = t
		}
		if t.Version() != first.Version() || p.gossip.Self().State != membership.StateActive {
			return false
		}
		if p.role == membership.RoleShard {
			shards++
		}
	}
	return first != nil && len(first.Shards()) == shards
}

// living lists the processes that run, of one role or of all, in the order of
// their starts.
func (c *cluster) living(role membership.Role) []*process {
	var list []*process
	for _, p := range c.processes {
		if p.alive() && !p.host.isDead() && (role == "" || p.role == role) {
			list = append(list, p)
		}
	}
	return list
}

// until waits on the fake clock.
func (c *cluster) until(what string, limit time.Duration, done func() bool) error {
	for start := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > limit {
			return fmt.Errorf("%s did not happen within %s", what, limit)
		}
	}
	return nil
}

// heal ends all faults and starts what is missing.
func (c *cluster) heal() {
	c.network.mu.Lock()
	cuts := c.network.cut
	c.network.cut = map[[2]string]bool{}
	clear(c.network.slow)
	for _, s := range c.network.streams {
		if cuts[[2]string{s.from.ip, s.to.ip}] {
			s.again()
		}
	}
	c.network.mu.Unlock()
	for _, p := range c.processes {
		p.host.thaw()
		p.log.set(trouble{})
		p.log.arm(nil)
		c.gossip.cut(p.gossip, false)
	}
}

// nobodyEnds tells whether all that were told to end in order have.
func (c *cluster) nobodyEnds() bool {
	for _, p := range c.processes {
		if p.told.Err() != nil && p.alive() {
			return false
		}
	}
	return true
}

// complete starts the first processes again that do not run.
func (c *cluster) complete() {
	for i := range firstShards {
		c.restart(fmt.Sprint("s", i+1))
	}
	for i := range routers {
		c.restart(fmt.Sprint("r", i+1))
	}
}

func (c *cluster) restart(name string) {
	p := c.current[name]
	if p.alive() && !p.host.isDead() {
		return
	}
	at := ""
	if p.role == membership.RoleRouter {
		at = p.addr() // clients know no other
	}
	c.begin(name, p.role, at)
}

// stop ends everything.
func (c *cluster) stop() {
	for _, p := range c.processes {
		p.kill(false)
	}
	c.running.Wait()
	c.late.Wait()
}

// ownerOf is the process that the log names as the holder of a room.
func (c *cluster) ownerOf(room string) *process {
	record, err := c.store.Open().Owner(context.Background(), membership.Partition(room))
	if err != nil {
		return nil
	}
	for _, p := range c.living(membership.RoleShard) {
		if p.gossip.Self().Boot == record.Boot {
			return p
		}
	}
	return nil
}
