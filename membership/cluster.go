package membership

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// ErrOtherBoot is what a Linker reports when another boot answers.
var ErrOtherBoot = errors.New("another boot answers")

// Link is a standing connection to a shard's client port. Done is closed when it broke.
type Link interface {
	Done() <-chan struct{}
	Close() error
}

// Linker dials shards as a member. An error that wraps syscall.ECONNREFUSED
// means nobody listens there; one that wraps ErrOtherBoot that another boot answered.
type Linker interface {
	Link(ctx context.Context, addr, boot string) (Link, error)
}

// Transport carries gossip; membershiptest has one in memory.
type Transport = memberlist.Transport

// Options configures a Cluster.
type Options struct {
	Cluster   string       // gossip label, "px" when empty
	Name      string       // needed: stable name
	Boot      string       // boot id; drawn when empty
	Role      Role         // needed
	Client    string       // needed: advertised client address
	Bind      string       // gossip host:port; port 0 means any; "" means 127.0.0.1:7946 or the next free
	Advertise string       // host that others reach gossip at, if not Bind's
	Join      []string     // gossip addresses of seeds
	Dir       string       // shared data directory for discovery; "" means none
	Secret    []byte       // 32 bytes; nil: no encryption, loopback only
	LogID     string       // identity of the room log; "" is not compared
	Linker    Linker       // nil: no member connections
	Transport Transport    // nil: UDP and TCP at Bind; tests have one in memory
	Logger    *slog.Logger // nil: discards
}

// firstPort is where gossip listens by default (memberlist's usual port).
const firstPort = 7946

// Cluster is this process's membership. Make it with New, start it with Run.
type Cluster struct {
	opts   Options
	logger *slog.Logger
	list   *memberlist.Memberlist
	dirty  chan struct{} // one slot: members changed
	ready  chan struct{}
	left   chan struct{} // closed by Leave
	again  chan struct{} // one slot: say the own state once more
	once   sync.Once

	table   atomic.Pointer[Table]
	members atomic.Pointer[[]Member]

	nodesMu sync.Mutex
	nodes   map[string]node // by gossip name; the library's own nodes change under its lock, which it does not share

	mu       sync.Mutex
	self     meta
	refused  map[string]bool // boots whose client port refused us
	watchers map[chan struct{}]struct{}
	refusal  error                // why the cluster and we do not fit
	lost     map[string]time.Time // gossip addresses of members lately gone
}

// node is a copy of what the gossip library says of a member.
type node struct {
	addr string
	meta []byte
}

// New binds the gossip sockets (so that Self has its addresses) but does not
// join anybody yet.
func New(opts Options) (*Cluster, error) {
	if err := checkName(opts.Name); err != nil {
		return nil, err
	}
	if opts.Boot == "" {
		opts.Boot = NewBoot()
	}
	if opts.Cluster == "" {
		opts.Cluster = "px"
	}
	c := &Cluster{
		opts: opts, logger: opts.Logger, dirty: make(chan struct{}, 1), ready: make(chan struct{}), left: make(chan struct{}), again: make(chan struct{}, 1),
		refused: map[string]bool{}, watchers: map[chan struct{}]struct{}{}, nodes: map[string]node{}, lost: map[string]time.Time{},
		self: meta{version: metaVersion, constants: constantsHash(), logID: opts.LogID, Member: Member{
			Name: opts.Name, Boot: opts.Boot, Role: opts.Role, State: StateJoining, Client: opts.Client,
		}},
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	c.table.Store(NewTable(nil))
	c.members.Store(&[]Member{})
	host, ports, err := bindPorts(opts.Bind)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); opts.Secret == nil && opts.Transport == nil && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("gossip on %s without a secret would let strangers in: give --secret-file or PX_SECRET", host)
	}
	for _, port := range ports {
		if c.list, err = memberlist.Create(c.config(host, port)); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("gossip on %s: %w", opts.Bind, err)
	}
	addr := c.list.LocalNode().Address()
	c.mu.Lock()
	c.self.Gossip = addr
	c.mu.Unlock()
	c.rebuild()
	return c, nil
}

func bindPorts(bind string) (host string, ports []int, err error) {
	if bind == "" {
		for port := firstPort; port < firstPort+1000; port++ {
			ports = append(ports, port)
		}
		return "127.0.0.1", ports, nil
	}
	host, text, err := net.SplitHostPort(bind)
	if err != nil {
		return "", nil, fmt.Errorf("gossip address %q: %w", bind, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", nil, fmt.Errorf("gossip address %q: the port must be 0 to 65535", bind)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, []int{port}, nil
}

// config holds the settings measured for a LAN with detection in one to two seconds.
func (c *Cluster) config(host string, port int) *memberlist.Config {
	cfg := memberlist.DefaultLANConfig()
	var suffix [2]byte
	rand.Read(suffix[:]) //nolint:errcheck // never fails
	// A name of its own for every boot makes a fast restart a plain leave and join.
	cfg.Name = c.opts.Name + "#" + hex.EncodeToString(suffix[:])
	cfg.BindAddr, cfg.BindPort = host, port
	cfg.AdvertiseAddr, cfg.AdvertisePort = c.opts.Advertise, port
	cfg.ProbeInterval, cfg.ProbeTimeout = 250*time.Millisecond, 125*time.Millisecond
	cfg.SuspicionMult, cfg.SuspicionMaxTimeoutMult, cfg.AwarenessMaxMultiplier = 4, 2, 8
	cfg.GossipInterval, cfg.GossipNodes, cfg.RetransmitMult, cfg.IndirectChecks = 100*time.Millisecond, 3, 4, 3
	cfg.PushPullInterval, cfg.TCPTimeout = 10*time.Second, 2*time.Second
	cfg.GossipToTheDeadTime, cfg.DeadNodeReclaimTime = 30*time.Second, time.Second
	cfg.EnableCompression, cfg.UDPBufferSize = false, 1400
	cfg.Label, cfg.SecretKey = c.opts.Cluster, c.opts.Secret
	cfg.Delegate, cfg.Events, cfg.Merge, cfg.Alive = c, c, c, c
	cfg.Transport = c.opts.Transport
	cfg.Logger = slog.NewLogLogger(c.logger.Handler(), slog.LevelDebug)
	return cfg
}

// Run gossips until ctx ends or Leave is called, and returns after everything
// it started has ended. It returns an error if this member and the cluster do
// not fit (constants, log or version differ).
func (c *Cluster) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel()
		wg.Wait()
		if err := c.list.Shutdown(); err != nil {
			c.logger.Debug("gossip shutdown", "err", err)
		}
	}()
	unpublish, err := c.publish()
	if err != nil {
		return err
	}
	defer unpublish()
	if len(c.rejoin()) == 0 && len(c.opts.Join) > 0 {
		c.logger.Warn("none of the members to join answers; trying on", "join", c.opts.Join)
	}
	if err := c.incompatible(); err != nil {
		return err
	}
	c.rebuild()
	close(c.ready)
	wg.Go(func() { c.rejoinLoop(ctx) })
	wg.Go(func() { c.linkLoop(ctx) })
	wg.Go(func() { c.repeatLoop(ctx) })
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.left:
			return nil
		case <-c.dirty:
			c.rebuild()
		}
	}
}

func (c *Cluster) incompatible() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal
}

// rejoin tries seeds, discovered and lately lost members that are not members
// now, and returns those that answered. memberlist never heals a partition by itself.
func (c *Cluster) rejoin() []string {
	known := map[string]bool{}
	for _, n := range c.known() {
		known[n.addr] = true
	}
	var try []string
	try = append(try, c.opts.Join...)
	try = append(try, c.discovered()...)
	c.mu.Lock()
	for addr, when := range c.lost {
		if time.Since(when) > time.Minute {
			delete(c.lost, addr)
			continue
		}
		try = append(try, addr)
	}
	c.mu.Unlock()
	slices.Sort(try)
	var joined []string
	for _, addr := range slices.Compact(try) {
		if known[addr] {
			continue
		}
		if n, err := c.list.Join([]string{addr}); err != nil {
			c.logger.Debug("join", "addr", addr, "err", err)
		} else if n > 0 {
			joined = append(joined, addr)
		}
	}
	return joined
}

func (c *Cluster) rejoinLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(1500*time.Millisecond + mathrand.N(time.Second)):
			c.rejoin()
		}
	}
}

// rebuild makes the snapshots anew from the full list and marks the watchers.
func (c *Cluster) rebuild() {
	var members []Member
	for _, n := range c.known() {
		m, err := parseMeta(n.meta)
		if err != nil {
			continue
		}
		m.Gossip = n.addr
		members = append(members, m.Member)
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name+a.Boot, b.Name+b.Boot) })
	c.mu.Lock()
	defer c.mu.Unlock()
	var shards, cut []Member
	for _, m := range members {
		switch {
		case m.Role != RoleShard || m.State != StateActive || c.refused[m.Boot]:
		case m.Cut:
			cut = append(cut, m)
		default:
			shards = append(shards, m)
		}
	}
	if len(shards) == 0 {
		shards = cut // a full disk cuts everybody: then nobody is better than another
	}
	c.members.Store(&members)
	c.table.Store(NewTable(shards))
	for w := range c.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// known copies the list of members.
func (c *Cluster) known() []node {
	c.nodesMu.Lock()
	defer c.nodesMu.Unlock()
	return slices.Collect(maps.Values(c.nodes))
}

func (c *Cluster) mark() {
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// Ready is closed after the first exchange, or once nobody else was found.
func (c *Cluster) Ready() <-chan struct{} { return c.ready }

// Self is this member as it presents itself now. Starts in StateJoining.
func (c *Cluster) Self() Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.Member
}

// Table is the current table, never nil.
func (c *Cluster) Table() *Table { return c.table.Load() }

// Members lists all live members, this one included, sorted by name.
func (c *Cluster) Members() []Member { return slices.Clone(*c.members.Load()) }

// Watch returns a one-slot channel marked after every change of members or table.
func (c *Cluster) Watch() (changed <-chan struct{}, stop func()) {
	w := make(chan struct{}, 1)
	c.mu.Lock()
	c.watchers[w] = struct{}{}
	c.mu.Unlock()
	return w, func() {
		c.mu.Lock()
		delete(c.watchers, w)
		c.mu.Unlock()
	}
}

// Alive reports whether the boot lives in this member's own view: known to
// gossip, not left, not cut, not refused by its client port.
func (c *Cluster) Alive(boot string) bool {
	c.mu.Lock()
	refused := c.refused[boot]
	c.mu.Unlock()
	if refused {
		return false
	}
	for _, m := range *c.members.Load() {
		if m.Boot == boot {
			return !m.Cut
		}
	}
	return false
}

// SetState changes what this member says of itself and gossips it.
func (c *Cluster) SetState(s State) {
	c.change(func(m *Member) bool { changed := m.State != s; m.State = s; return changed })
}

// SetCut says that this member cannot (or can again) reach the room log.
func (c *Cluster) SetCut(cut bool) {
	c.change(func(m *Member) bool { changed := m.Cut != cut; m.Cut = cut; return changed })
}

func (c *Cluster) change(f func(*Member) bool) {
	c.mu.Lock()
	changed := f(&c.self.Member)
	c.mu.Unlock()
	if !changed {
		return
	}
	if err := c.list.UpdateNode(2 * time.Second); err != nil {
		c.logger.Debug("gossip the own state", "err", err)
	}
	select {
	case c.again <- struct{}{}:
	default:
	}
	c.rebuild()
}

// repeatLoop gossips a change of the own state a second time. The library sends
// each a handful of times to members drawn at random; in one of some hundred
// changes that leaves somebody out, until the next full exchange 10 s later.
func (c *Cluster) repeatLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.again:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
		if err := c.list.UpdateNode(time.Second); err != nil {
			c.logger.Debug("gossip the own state again", "err", err)
		}
	}
}

// Leave tells the cluster, stays two gossip rounds so that it is heard, and ends Run.
func (c *Cluster) Leave(ctx context.Context) error {
	c.SetState(StateLeaving)
	err := c.list.Leave(2 * time.Second)
	select {
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
	}
	c.once.Do(func() { close(c.left) })
	return err
}

// NewBoot makes a boot id that sorts by start time: 13 digits of Unix
// milliseconds, '-', 8 hexadecimal digits.
func NewBoot() string {
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return fmt.Sprintf("%013d-%x", time.Now().UnixMilli(), b)
}

// linkLoop keeps one connection to every other shard.
func (c *Cluster) linkLoop(ctx context.Context) {
	if c.opts.Linker == nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	changed, stop := c.Watch()
	defer stop()
	running := map[string]context.CancelFunc{}
	for {
		seen := map[string]bool{}
		for _, m := range c.Members() {
			if m.Role != RoleShard || m.Boot == c.opts.Boot {
				continue
			}
			seen[m.Boot] = true
			if running[m.Boot] == nil {
				linkCtx, cancel := context.WithCancel(ctx)
				running[m.Boot] = cancel
				wg.Go(func() { c.keepLink(linkCtx, m) })
			}
		}
		c.mu.Lock()
		for boot, cancel := range running {
			if !seen[boot] {
				cancel()
				delete(running, boot)
				delete(c.refused, boot)
			}
		}
		c.mu.Unlock()
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

// keepLink holds the connection to one boot. Refused, or answered by another
// boot, means dead for our own view until a connection to it stands.
func (c *Cluster) keepLink(ctx context.Context, m Member) {
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		link, err := c.opts.Linker.Link(ctx, m.Client, m.Boot)
		switch {
		case err == nil:
			c.setRefused(m.Boot, false)
			pause = 100 * time.Millisecond
			select {
			case <-link.Done():
			case <-ctx.Done():
			}
			if err := link.Close(); err != nil {
				c.logger.Debug("close member connection", "err", err)
			}
			continue // once at once: a reset may have been the network's
		case ctx.Err() != nil:
			return
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, ErrOtherBoot):
			c.setRefused(m.Boot, true)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = time.Duration(math.Min(float64(2*pause), float64(time.Second)))
	}
}

func (c *Cluster) setRefused(boot string, refused bool) {
	c.mu.Lock()
	changed := c.refused[boot] != refused
	c.refused[boot] = refused
	c.mu.Unlock()
	if changed {
		if refused {
			c.logger.Info("a shard's port refuses connections: taken for dead", "boot", boot)
		}
		c.mark()
	}
}
