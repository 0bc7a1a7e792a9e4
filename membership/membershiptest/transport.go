package membershiptest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"positivity-exchange/membership"
)

// GossipPort is where every host's gossip listens.
const GossipPort = 7946

// Transport carries the gossip of one member on a host; it is what
// membership.Options.Transport takes.
type Transport struct {
	host    *Host
	packets chan *memberlist.Packet
	streams chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

var _ memberlist.Transport = (*Transport)(nil)

// Transport opens the host's gossip port. A host has one at a time.
func (h *Host) Transport() (*Transport, error) {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if h.gossip != nil {
		return nil, errNoGossip
	}
	h.gossip = &Transport{host: h, packets: make(chan *memberlist.Packet, 4096), streams: make(chan net.Conn, 64), closed: make(chan struct{})}
	return h.gossip, nil
}

// Gossip is Transport under the type that membership takes.
func (h *Host) Gossip() (membership.Transport, error) { return h.Transport() }

// GossipAddr is the host:port of the host's gossip.
func (h *Host) GossipAddr() string { return net.JoinHostPort(h.ip, strconv.Itoa(GossipPort)) }

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.ParseIP(t.host.ip), GossipPort, nil
}

// WriteTo implements memberlist.Transport.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	ip, _, err := net.SplitHostPort(addr)
	if err != nil {
		return now, err
	}
	n := t.host.network
	n.mu.Lock()
	n.packets++
	n.bytes += int64(len(b))
	to := n.hosts[ip]
	lost := to == nil || to.dead || t.host.dead || to.gossip == nil || n.isCut(t.host.ip, ip) || n.rng.Float64() < n.loss
	var dest *Transport
	if !lost {
		dest = to.gossip
	}
	n.mu.Unlock()
	if dest == nil {
		return now, nil
	}
	packet := &memberlist.Packet{Buf: append([]byte(nil), b...), From: &net.UDPAddr{IP: net.ParseIP(t.host.ip), Port: GossipPort}, Timestamp: now}
	select {
	case dest.packets <- packet:
	default: // the receiver's buffer is full, as a socket's may be
	}
	return now, nil
}

// PacketCh implements memberlist.Transport.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout implements memberlist.Transport.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return t.host.Dial(ctx, addr)
}

// DialContext is a dial that ends with ctx.
func (t *Transport) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	return t.host.Dial(ctx, addr)
}

// StreamCh implements memberlist.Transport.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown implements memberlist.Transport.
func (t *Transport) Shutdown() error {
	t.once.Do(func() {
		t.host.network.mu.Lock()
		t.host.gossip = nil
		t.host.network.mu.Unlock()
		close(t.closed)
	})
	return nil
}
