package twin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// network carries streams between hosts: each piece takes a time drawn from
// the seed, so that no two events fall on the same instant.
type network struct {
	mu      sync.Mutex
	rng     *rand.Rand
	hosts   map[string]*host // by IP, the newest
	number  int              // of the newest IP
	cut     map[[2]string]bool
	slow    map[string]time.Duration // by IP: added to each piece of that host
	streams []*stream
}

func newNetwork(rng *rand.Rand) *network {
	return &network{rng: rng, hosts: map[string]*host{}, cut: map[[2]string]bool{}, slow: map[string]time.Duration{}}
}

// host is one process's place in the network. A process that is started again
// has another one, perhaps with the same IP.
type host struct {
	network *network
	ip      string

	// Guarded by the network's mu.
	frozen    bool
	dead      bool          // killed: its streams are reset
	dark      bool          // nothing of it answers any more, not even with a reset
	awake     chan struct{} // closed when it is not frozen (any more)
	nextPort  int
	listeners map[int]*listener
}

// host adds a host; ip is that of one that ended, or empty.
func (n *network) host(ip string) *host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ip == "" {
		n.number++
		ip = fmt.Sprintf("10.0.%d.%d", n.number/250, n.number%250+1)
	}
	h := &host{network: n, ip: ip, awake: make(chan struct{}), nextPort: 20000, listeners: map[int]*listener{}}
	close(h.awake)
	n.hosts[ip] = h
	return h
}

// delay is how long a piece takes between two hosts. mu is held.
func (n *network) delay(from, to *host) time.Duration {
	d := 50*time.Microsecond + time.Duration(n.rng.ExpFloat64()*float64(200*time.Microsecond))
	if n.rng.IntN(200) == 0 {
		d += time.Duration(n.rng.Int64N(int64(20 * time.Millisecond)))
	}
	return d + n.slow[from.ip] + n.slow[to.ip]
}

// setCut parts from's packets from to: what is sent waits until the cut ends.
func (n *network) setCut(from, to string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if cut {
		n.cut[[2]string{from, to}] = true
		return
	}
	delete(n.cut, [2]string{from, to})
	for _, s := range n.streams {
		if s.from.ip == from && s.to.ip == to {
			s.again()
		}
	}
}

// setSlow adds to the delay of everything from and to a host.
func (n *network) setSlow(ip string, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slow[ip] = d
}

func (n *network) isCut(from, to string) bool { return n.cut[[2]string{from, to}] }

// reaches tells whether packets go between a and b in both directions, and
// both processes run.
func (n *network) reaches(a, b *host) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !a.frozen && !b.frozen && !a.dead && !b.dead && !n.isCut(a.ip, b.ip) && !n.isCut(b.ip, a.ip)
}

// freeze stops the host's part in everything: it reads nothing, what it writes
// stays with it, its calls wait.
func (h *host) freeze() {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if h.frozen || h.dead {
		return
	}
	h.frozen = true
	h.awake = make(chan struct{})
}

// thaw ends a freeze.
func (h *host) thaw() {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	h.thawLocked()
}

func (h *host) thawLocked() {
	if !h.frozen {
		return
	}
	h.frozen = false
	close(h.awake)
	for _, s := range h.network.streams {
		switch h {
		case s.from:
			s.again()
		case s.to:
			s.wakeReader()
		}
	}
}

// gate waits while the host is frozen; an error means that it is dead.
func (h *host) gate() error {
	for {
		h.network.mu.Lock()
		frozen, dead, awake := h.frozen, h.dead, h.awake
		h.network.mu.Unlock()
		if dead {
			return errDead
		}
		if !frozen {
			return nil
		}
		<-awake
	}
}

var errDead = fmt.Errorf("the process was killed: %w", syscall.ECANCELED)

// kill ends the host as SIGKILL does: its streams are reset and dials to it
// refused. dark: as the loss of its machine does, of which nobody hears.
func (h *host) kill(dark bool) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.dead {
		return
	}
	for _, s := range n.streams {
		if s.from == h {
			s.dropHeld()
		}
	}
	h.thawLocked()
	h.dead, h.dark = true, dark
	live := n.streams[:0]
	for _, s := range n.streams {
		switch h {
		case s.from:
			if !dark {
				s.push(nil, true)
			}
			s.closed = true
			s.wakeWriter()
		case s.to:
			s.gone = true
			s.lost = dark
			s.wakeReader()
			s.wakeWriter()
			continue
		}
		live = append(live, s)
	}
	n.streams = live
}

// Listen opens a port; 0 means any.
func (h *host) Listen(port int) *listener {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	for any := port == 0; any && (port == 0 || h.listeners[port] != nil); port = h.nextPort {
		h.nextPort++
	}
	l := &listener{host: h, port: port, conns: make(chan *conn, 4096), closed: make(chan struct{})}
	h.listeners[port] = l
	return l
}

// Dial connects to a listener. Refused dials wrap syscall.ECONNREFUSED; over a
// cut, or to a machine that is gone, it waits until ctx ends or the cut does.
func (h *host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	ip, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	n := h.network
	for {
		n.mu.Lock()
		to := n.hosts[ip]
		trip := time.Second // until the next attempt
		through := to != nil && !to.dark && !n.isCut(h.ip, ip) && !n.isCut(ip, h.ip)
		if through {
			trip = n.delay(h, to) + n.delay(to, h)
		}
		n.mu.Unlock()
		if err := pause(ctx, trip); err != nil {
			return nil, fmt.Errorf("dial %s: %w", addr, err)
		}
		if err := h.gate(); err != nil {
			return nil, fmt.Errorf("dial %s: %w", addr, err)
		}
		if !through {
			continue
		}
		n.mu.Lock()
		l := to.listeners[port]
		if to.dead || l == nil {
			n.mu.Unlock()
			return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
		}
		h.nextPort++
		ours, theirs := n.pipe(h, to, net.JoinHostPort(h.ip, strconv.Itoa(h.nextPort)), addr)
		n.mu.Unlock()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-l.closed:
			return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
		}
	}
}

// listener is an open port.
type listener struct {
	host   *host
	port   int
	conns  chan *conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.closed:
			return nil, fmt.Errorf("accept: %w", net.ErrClosed)
		case c := <-l.conns:
			if l.host.gate() == nil {
				return c, nil
			}
			c.Close() //nolint:errcheck // never fails
		}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.network.mu.Lock()
		if l.host.listeners[l.port] == l {
			delete(l.host.listeners, l.port)
		}
		l.host.network.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.conns:
				c.Close() //nolint:errcheck // never fails
				continue
			default:
			}
			return
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr {
	return address(net.JoinHostPort(l.host.ip, strconv.Itoa(l.port)))
}

// address is a host:port of the network.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
