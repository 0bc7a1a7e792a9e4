// Package membershiptest is a network in memory for tests of clusters: packets
// and streams between hosts that can be cut off from each other, lose packets
// and be killed. It works in a testing/synctest bubble, where its clock is the
// bubble's.
package membershiptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// Network connects hosts. Make it with New.
type Network struct {
	mu      sync.Mutex
	hosts   map[string]*Host // by IP
	cut     map[[2]string]bool
	loss    float64
	rng     *rand.Rand
	streams map[*stream]struct{}
	packets int64 // sent, bytes of them below
	bytes   int64

	streamed atomic.Int64 // bytes written to streams
}

// New makes a network without hosts; seed decides which packets are lost.
func New(seed uint64) *Network {
	return &Network{hosts: map[string]*Host{}, cut: map[[2]string]bool{}, rng: rand.New(rand.NewPCG(seed, seed)), streams: map[*stream]struct{}{}}
}

// Host is one machine, or one process of it, with an address of its own.
type Host struct {
	network *Network
	ip      string

	// Guarded by the network's mu.
	dead      bool
	nextPort  int
	listeners map[int]*listener
	gossip    *Transport
}

// Host adds a host.
func (n *Network) Host() *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := len(n.hosts) + 1
	h := &Host{network: n, ip: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), nextPort: 20000, listeners: map[int]*listener{}}
	n.hosts[h.ip] = h
	return h
}

// IP is the host's address.
func (h *Host) IP() string { return h.ip }

// Cut parts a from b in both directions: packets vanish, streams stand still,
// dials wait, until Heal.
func (n *Network) Cut(a, b *Host) {
	n.CutOneWay(a, b)
	n.CutOneWay(b, a)
}

// CutOneWay lets nothing of from reach to.
func (n *Network) CutOneWay(from, to *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from.ip, to.ip}] = true
}

// Heal ends all cuts and all loss.
func (n *Network) Heal() {
	n.mu.Lock()
	clear(n.cut)
	n.loss = 0
	for s := range n.streams {
		s.wake()
	}
	n.mu.Unlock()
}

// Lose loses this share of all packets; streams lose nothing.
func (n *Network) Lose(rate float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = rate
}

// Traffic is how many packets were sent, and how many bytes in them.
func (n *Network) Traffic() (packets, bytes int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.packets, n.bytes
}

// Streamed is how many bytes were written to streams.
func (n *Network) Streamed() int64 { return n.streamed.Load() }

func (n *Network) isCut(from, to string) bool { return n.cut[[2]string{from, to}] }

// Kill ends the host as SIGKILL ends a process: its streams are reset, dials to
// it refused. What ran on it must be stopped by the caller.
func (h *Host) Kill() {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	h.dead = true
	for s := range n.streams {
		if s.from == h.ip || s.to == h.ip {
			s.reset()
		}
	}
}

// Listen opens a port; 0 means any. addr may name the host or nothing.
func (h *Host) Listen(addr string) (net.Listener, error) {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if port == 0 {
		h.nextPort++
		port = h.nextPort
	}
	if h.listeners[port] != nil {
		return nil, fmt.Errorf("listen %s: %w", addr, syscall.EADDRINUSE)
	}
	l := &listener{host: h, port: port, conns: make(chan net.Conn, 1024), closed: make(chan struct{})}
	h.listeners[port] = l
	return l, nil
}

// Dial connects to a listener. Refused dials wrap syscall.ECONNREFUSED; over a
// cut it waits until ctx ends.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	ip, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	n := h.network
	n.mu.Lock()
	if h.dead {
		n.mu.Unlock()
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ENETUNREACH)
	}
	to := n.hosts[ip]
	if n.isCut(h.ip, ip) || n.isCut(ip, h.ip) || to == nil {
		n.mu.Unlock()
		<-ctx.Done()
		return nil, fmt.Errorf("dial %s: %w", addr, ctx.Err())
	}
	l := to.listeners[port]
	var gossip *Transport
	if port == GossipPort {
		gossip = to.gossip
	}
	if to.dead || l == nil && gossip == nil {
		n.mu.Unlock()
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
	}
	h.nextPort++
	ours, theirs := n.pipe(address(net.JoinHostPort(h.ip, strconv.Itoa(h.nextPort))), address(addr))
	n.mu.Unlock()
	var accept chan net.Conn
	var closed chan struct{}
	if gossip != nil {
		accept, closed = gossip.streams, gossip.closed
	} else {
		accept, closed = l.conns, l.closed
	}
	select {
	case accept <- theirs:
		return ours, nil
	case <-closed:
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, fmt.Errorf("dial %s: %w", addr, ctx.Err())
	}
}

// listener is an open port.
type listener struct {
	host   *Host
	port   int
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	}
}

// Close implements net.Listener; who was not accepted is reset.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.network.mu.Lock()
		delete(l.host.listeners, l.port)
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

var errNoGossip = errors.New("the host has a transport already")
