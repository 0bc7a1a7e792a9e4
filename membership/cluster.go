package membership

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Cluster is this process's membership. Make it with New, start it with Run.
type Cluster struct {
	opts    Options
	logger  *slog.Logger
	list    *memberlist.Memberlist
	out     *outgoing
	seeds   []*seed       // of rejoin alone, once Run has begun
	dirty   chan struct{} // one slot: members changed
	ready   chan struct{}
	left    chan struct{} // closed by Leave
	again   chan struct{} // one slot: say the own state once more
	telling chan struct{} // one slot, see tell; no mutex: simulated time stands still at one
	down    bool          // guarded by telling: the gossip library is shut down
	once    sync.Once

	table   atomic.Pointer[Table]
	members atomic.Pointer[[]Member]

	nodesMu sync.Mutex      // taken under mu, never the other way
	nodes   map[string]node // by gossip name; the library's own nodes change under its lock, which it does not share

	mu       sync.Mutex
	self     meta
	refused  map[string]bool // boots whose client port refused us
	watchers map[chan struct{}]struct{}
	refusal  error                // why the cluster and we do not fit
	lost     map[string]time.Time // gossip addresses of members lately gone
	placed   []Member             // what the table was built of
	warnings map[string]bool      // what was warned of, not to be said again
}

// node is a copy of what the gossip library says of a member.
type node struct {
	addr string
	meta []byte
}

// New binds the gossip sockets (so that Self has its addresses) but does not
// join anybody yet.
func New(opts Options) (*Cluster, error) {
	if err := CheckName(opts.Name); err != nil {
		return nil, fmt.Errorf("member name %q: %w", opts.Name, err)
	}
	if opts.Boot == "" {
		opts.Boot = NewBoot()
	}
	if opts.Cluster == "" {
		opts.Cluster = DefaultCluster
	}
	c := &Cluster{
		opts: opts, logger: opts.Logger, dirty: make(chan struct{}, 1), ready: make(chan struct{}), left: make(chan struct{}), again: make(chan struct{}, 1), telling: make(chan struct{}, 1),
		refused: map[string]bool{}, watchers: map[chan struct{}]struct{}{}, nodes: map[string]node{}, lost: map[string]time.Time{}, warnings: map[string]bool{},
		self: meta{version: Version, constants: constantsHash(), logID: opts.LogID, Member: Member{
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
	advertise, err := opts.advertised(host)
	if err != nil {
		return nil, err
	}
	if c.seeds, err = seedsOf(opts.Join); err != nil {
		return nil, err
	}
	if opts.Transport == nil {
		if err := c.checkReach(host); err != nil {
			return nil, err
		}
	}
	for _, port := range ports {
		if err = c.bind(host, advertise, port); err == nil {
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

// Run gossips until ctx ends or Leave is called, and returns after everything
// it started has ended. It returns an error if this member and the cluster do
// not fit (constants, log or version differ).
func (c *Cluster) Run(ctx context.Context) error {
	defer c.shutdown()
	if err := c.publish(); err != nil {
		return err
	}
	defer c.unpublish() // after the loop that would write the notice again
	work, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { // who leaves does not wait for addresses that are silent
		select {
		case <-c.left:
			cancel()
		case <-work.Done():
		}
	})
	tried, answered := c.rejoin(work)
	if err := c.incompatible(); err != nil {
		return err
	}
	if len(c.seeds) > 0 && tried > 0 && answered == 0 && work.Err() == nil {
		c.logger.Warn("none of the members to join answers; trying on", "join", c.opts.Join)
	}
	c.rebuild()
	close(c.ready)
	wg.Go(func() { c.rejoinLoop(work) })
	wg.Go(func() { c.linkLoop(work) })
	wg.Go(func() { c.repeatLoop(work) })
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

func (c *Cluster) shutdown() {
	c.tell(func() {
		c.down = true
		if err := c.list.Shutdown(); err != nil {
			c.logger.Debug("gossip shutdown", "err", err)
		}
	})
}

func (c *Cluster) incompatible() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal
}

// rebuild makes the snapshots anew from the full list and marks the watchers.
// One at a time from the copy on: of two, what was copied first could otherwise
// be stored last, and stay until the next change.
func (c *Cluster) rebuild() {
	c.mu.Lock()
	defer c.mu.Unlock()
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
	maps.DeleteFunc(c.refused, func(boot string, _ bool) bool { // who comes back is looked at anew
		return !slices.ContainsFunc(members, func(m Member) bool { return m.Boot == boot })
	})
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
	if !slices.Equal(shards, c.placed) { // most changes are not the shards'
		c.placed = shards
		c.table.Store(NewTable(shards))
	}
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

// Uneasy reports whether probes of this member's have lately had no answer: it,
// or somebody else, may be about to be taken for dead, or has just been. One
// that stays alone is so no longer than a minute.
func (c *Cluster) Uneasy() bool {
	if c.list.GetHealthScore() == 0 {
		return false
	}
	if len(*c.members.Load()) > 1 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lost) > 0
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
	c.gossipSelf(toldIn)
	select {
	case c.again <- struct{}{}:
	default:
	}
	c.rebuild()
}

// toldIn is two rounds of gossip and some: by then others have what is passed on
// for longer (RetransmitMult), and who waits for it need not wait on.
const toldIn = 250 * time.Millisecond

// tell lets f say something to the cluster, unless the gossip is shut down: Run may
// end while somebody calls Leave, and the library panics at a leave then. One f
// runs at a time, until it is told. The library reads a new state first and numbers
// it afterwards: of two at once the older could get the higher number and win.
// (An answer to what others say of this member may be numbered in between, too;
// repeatLoop mends that.) It also reads the own address outside its lock.
func (c *Cluster) tell(f func()) {
	c.telling <- struct{}{}
	defer func() { <-c.telling }()
	if !c.down {
		f()
	}
}

// gossipSelf hands the own state to the gossip, and waits no longer than that for
// its last sending.
func (c *Cluster) gossipSelf(wait time.Duration) {
	c.tell(func() {
		c.list.UpdateNode(wait) //nolint:errcheck // its one error is that wait is over
	})
}

// repeatLoop gossips a change of the own state a second time, for what gossipSelf
// says, and for those whom the first did not reach because packets were lost.
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
		c.gossipSelf(time.Millisecond) // nobody waits for it, and a change must not
	}
}

// Leave tells the cluster, stays two gossip rounds so that it is heard, and ends
// Run. After Run has ended there is nobody to tell any more.
func (c *Cluster) Leave() {
	c.SetState(StateLeaving)
	c.tell(func() {
		c.list.Leave(toldIn) //nolint:errcheck // its one error is that toldIn is over
	})
	c.once.Do(func() { close(c.left) })
}

// NewBoot makes a boot id that sorts by start time: 13 digits of Unix
// milliseconds, '-', 8 hexadecimal digits.
func NewBoot() string {
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return fmt.Sprintf("%013d-%x", time.Now().UnixMilli(), b)
}
