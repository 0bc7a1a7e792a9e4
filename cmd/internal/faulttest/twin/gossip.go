package twin

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"positivity-exchange/membership"
)

// gossip is the membership of all processes, simulated: each has a view of its
// own that follows the others late, takes the silent for dead, and is wrong
// when the network is. See the package comment for why it is not the real one.
type gossip struct {
	network *network

	mu      sync.Mutex
	rng     *rand.Rand
	members []*view
	tables  map[string]*membership.Table // by what they are built of
}

func newGossip(n *network, rng *rand.Rand) *gossip {
	return &gossip{network: n, rng: rng, tables: map[string]*membership.Table{}}
}

// view is one process's membership. It plays membership.Cluster.
type view struct {
	gossip *gossip
	host   *host

	// Guarded by the gossip's mu.
	self     membership.Member
	version  int // of self
	left     bool
	views    map[*view]*opinion
	members  []membership.Member
	table    *membership.Table
	watchers []chan struct{}
	cutOff   bool // its gossip alone is cut
}

// opinion is what one member knows of another.
type opinion struct {
	member  membership.Member
	version int
	alive   bool
	due     time.Time // when news, a death or a return is noticed; zero: nothing is under way
	reached bool      // what due is about: it was reached or not
}

// add makes the membership of a process that starts. It knows nobody yet.
func (g *gossip) add(h *host, m membership.Member) *view {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := &view{gossip: g, host: h, self: m, views: map[*view]*opinion{}}
	g.members = append(g.members, own)
	own.rebuild()
	return own
}

// remove ends a membership: it is as silent as a killed process.
func (g *gossip) remove(m *view) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.left = true
}

// run lets views follow, until done.
func (g *gossip) run(done <-chan struct{}) {
	for {
		g.mu.Lock()
		step := 5*time.Millisecond + time.Duration(g.rng.Int64N(int64(10*time.Millisecond)))
		g.mu.Unlock()
		t := time.NewTimer(step)
		select {
		case <-done:
			t.Stop()
			return
		case <-t.C:
		}
		g.step(time.Now())
	}
}

func (g *gossip) step(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, viewer := range g.members {
		if viewer.left {
			continue
		}
		changed := false
		for _, subject := range g.members {
			if subject != viewer && viewer.look(subject, now) {
				changed = true
			}
		}
		if changed {
			viewer.rebuild()
		}
	}
}

// look follows one other member; true if the view changed.
func (m *view) look(subject *view, now time.Time) (changed bool) {
	g := m.gossip
	o := m.views[subject]
	reached := g.hears(m, subject)
	if o == nil {
		if !reached || subject.left {
			return false
		}
		o = &opinion{version: -1}
		m.views[subject] = o
	}
	if m.frozen() {
		o.due = time.Time{}
		return false
	}
	settled := reached && o.alive && o.version == subject.version || !reached && !o.alive
	if settled || o.reached != reached {
		o.due = time.Time{}
	}
	if settled {
		return false
	}
	if o.due.IsZero() {
		o.reached = reached
		o.due = now.Add(g.delay(m, subject, reached))
	}
	if now.Before(o.due) {
		return false
	}
	o.due = time.Time{}
	if !reached {
		o.alive = false
		return true
	}
	o.alive, o.member, o.version = true, subject.self, subject.version
	return true
}

// delay is how long news takes, or a silence until it is a death. Who was
// killed is known at once to those whose connection to it was reset.
func (g *gossip) delay(m, subject *view, reached bool) time.Duration {
	between := func(low, high time.Duration) time.Duration {
		return low + time.Duration(g.rng.Int64N(int64(high-low)))
	}
	switch {
	case reached && g.rng.IntN(20) == 0:
		return between(300*time.Millisecond, 2*time.Second)
	case reached:
		return between(time.Millisecond, 300*time.Millisecond)
	case subject.left && subject.self.State == membership.StateLeaving:
		return between(time.Millisecond, 300*time.Millisecond)
	case subject.refuses(m) && g.rng.IntN(5) > 0:
		return between(time.Millisecond, 20*time.Millisecond)
	}
	return between(1100*time.Millisecond, 2500*time.Millisecond)
}

// refuses tells whether from finds nobody at the member's port.
func (m *view) refuses(from *view) bool {
	n := m.gossip.network
	n.mu.Lock()
	defer n.mu.Unlock()
	return m.host.dead && !m.host.dark && !n.isCut(m.host.ip, from.host.ip) && !n.isCut(from.host.ip, m.host.ip)
}

func (m *view) frozen() bool {
	n := m.gossip.network
	n.mu.Lock()
	defer n.mu.Unlock()
	return m.host.frozen
}

// hears tells whether a hears of b: directly, or through one whom both reach.
func (g *gossip) hears(a, b *view) bool {
	direct := func(a, b *view) bool {
		return !a.left && !b.left && !a.cutOff && !b.cutOff && g.network.reaches(a.host, b.host)
	}
	return direct(a, b) || slices.ContainsFunc(g.members, func(c *view) bool {
		return c != a && c != b && direct(a, c) && direct(c, b)
	})
}

// cut parts a member's gossip, and nothing else of it, from everybody's.
func (g *gossip) cut(m *view, cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.cutOff = cut
}

// rebuild makes the snapshots anew, as membership.Cluster does.
func (m *view) rebuild() {
	m.members = []membership.Member{m.self}
	for _, subject := range m.gossip.members {
		if o := m.views[subject]; o != nil && o.alive {
			m.members = append(m.members, o.member)
		}
	}
	slices.SortFunc(m.members, func(a, b membership.Member) int { return strings.Compare(a.Name+a.Boot, b.Name+b.Boot) })
	var shards, cut []membership.Member
	var key strings.Builder
	for _, s := range m.members {
		switch {
		case s.Role != membership.RoleShard || s.State != membership.StateActive:
		case s.Cut:
			cut = append(cut, s)
		default:
			shards = append(shards, s)
		}
	}
	if len(shards) == 0 {
		shards = cut
	}
	for _, s := range shards {
		key.WriteString(s.Name + " " + s.Boot + " " + s.Client + ";")
	}
	table := m.gossip.tables[key.String()]
	if table == nil {
		table = membership.NewTable(shards)
		m.gossip.tables[key.String()] = table
	}
	m.table = table
	for _, w := range m.watchers {
		mark(w)
	}
}

// Self implements ownership.Gossip.
func (m *view) Self() membership.Member {
	m.gossip.mu.Lock()
	defer m.gossip.mu.Unlock()
	return m.self
}

// Table implements ownership.Gossip.
func (m *view) Table() *membership.Table {
	m.gossip.mu.Lock()
	defer m.gossip.mu.Unlock()
	return m.table
}

// Members implements ownership.Gossip.
func (m *view) Members() []membership.Member {
	m.gossip.mu.Lock()
	defer m.gossip.mu.Unlock()
	return slices.Clone(m.members)
}

// Watch implements ownership.Gossip.
func (m *view) Watch() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	m.gossip.mu.Lock()
	defer m.gossip.mu.Unlock()
	m.watchers = append(m.watchers, c)
	return c, func() {
		m.gossip.mu.Lock()
		defer m.gossip.mu.Unlock()
		m.watchers = slices.DeleteFunc(m.watchers, func(w chan struct{}) bool { return w == c })
	}
}

// Alive implements ownership.Gossip.
func (m *view) Alive(boot string) bool {
	for _, o := range m.Members() {
		if o.Boot == boot {
			return !o.Cut
		}
	}
	return false
}

// SetState implements ownership.Gossip.
func (m *view) SetState(s membership.State) {
	m.change(func(own *membership.Member) bool { changed := own.State != s; own.State = s; return changed })
}

// SetCut implements ownership.Gossip.
func (m *view) SetCut(cut bool) {
	m.change(func(own *membership.Member) bool { changed := own.Cut != cut; own.Cut = cut; return changed })
}

// change takes a while, as the real one does until the change was gossiped.
func (m *view) change(f func(*membership.Member) bool) {
	g := m.gossip
	g.mu.Lock()
	if !f(&m.self) {
		g.mu.Unlock()
		return
	}
	m.version++
	m.rebuild()
	took := time.Duration(g.rng.Int64N(int64(100 * time.Millisecond)))
	if g.rng.IntN(10) == 0 {
		took *= 20
	}
	g.mu.Unlock()
	time.Sleep(took)
}
