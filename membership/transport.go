package membership

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// Transport carries gossip; membershiptest has one in memory. One that also
// dials with a context (DialContext) is told when nobody waits for it any more.
type Transport = memberlist.Transport

// dialFor bounds a dial and each of the two halves of a full exchange.
const dialFor = 2 * time.Second

// errHungUp is all that a member of another cluster lets us know.
var errHungUp = errors.New("it hangs up without a word")

// outgoing is a transport whose streams to an address that is being joined are
// the attempt's: the library's Join takes no context, and makes text of errors.
type outgoing struct {
	Transport
	dial func(ctx context.Context, addr string) (net.Conn, error)

	mu       sync.Mutex
	attempts map[string]*attempt // by address
}

// bind starts the gossip library on its transport.
func (c *Cluster) bind(host, advertise string, port int) error {
	cfg := c.config(host, advertise, port)
	transport := c.opts.Transport
	if transport == nil {
		t, err := listen(host, port, cfg.Logger)
		if err != nil {
			return err
		}
		cfg.BindPort, cfg.AdvertisePort = t.GetAutoBindPort(), t.GetAutoBindPort()
		transport = t
	}
	c.out = newOutgoing(transport)
	cfg.Transport = c.out
	list, err := memberlist.Create(cfg)
	if err != nil {
		return errors.Join(err, transport.Shutdown())
	}
	c.list = list
	return nil
}

// listen is the transport of sockets at host and port, 0 for any.
func listen(host string, port int, logger *log.Logger) (*memberlist.NetTransport, error) {
	var t *memberlist.NetTransport
	var err error
	// UDP gets the port that TCP was given, which somebody else may have there.
	for range 10 {
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{host}, BindPort: port, Logger: logger})
		if err == nil || port != 0 {
			break
		}
	}
	return t, err
}

func newOutgoing(t Transport) *outgoing {
	o := &outgoing{Transport: t, attempts: map[string]*attempt{}}
	if _, sockets := t.(*memberlist.NetTransport); sockets {
		o.dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	} else if d, ok := t.(interface {
		DialContext(ctx context.Context, addr string) (net.Conn, error)
	}); ok {
		o.dial = d.DialContext
	} else {
		o.dial = func(_ context.Context, addr string) (net.Conn, error) { return t.DialTimeout(addr, dialFor) }
	}
	return o
}

// try makes all streams to addr those of an attempt that ends with ctx, until done.
func (o *outgoing) try(ctx context.Context, addr string) (a *attempt, done func()) {
	a = &attempt{ctx: ctx}
	o.mu.Lock()
	o.attempts[addr] = a
	o.mu.Unlock()
	return a, func() {
		o.mu.Lock()
		delete(o.attempts, addr)
		o.mu.Unlock()
	}
}

// DialTimeout implements Transport.
func (o *outgoing) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	o.mu.Lock()
	a := o.attempts[addr]
	o.mu.Unlock()
	if a == nil {
		return o.Transport.DialTimeout(addr, timeout)
	}
	ctx, cancel := context.WithTimeout(a.ctx, timeout)
	defer cancel()
	nc, err := o.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(a.ctx, func() { nc.Close() }) //nolint:errcheck // ends whom it is read by
	return &attempted{Conn: nc, attempt: a, stop: stop}, nil
}

// attempt is one try to join an address.
type attempt struct {
	ctx context.Context

	mu            sync.Mutex
	spoke, hungUp bool
}

// heard notes what a read or a write brought. A silence until the deadline is no
// answer: the kernel of a frozen process takes connections for it.
func (a *attempt) heard(read int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spoke = a.spoke || read > 0
	a.hungUp = a.hungUp || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// answered tells whether somebody was there, and why it came to nothing if that
// cannot be had from what was said.
func (a *attempt) answered() (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hungUp && !a.spoke {
		return true, errHungUp
	}
	return a.spoke, nil
}

// attempted is a stream of an attempt.
type attempted struct {
	net.Conn
	attempt *attempt
	stop    func() bool
}

// Read implements net.Conn.
func (c *attempted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.attempt.heard(n, err)
	return n, err
}

// Write implements net.Conn.
func (c *attempted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.attempt.heard(0, err)
	return n, err
}

// Close implements net.Conn.
func (c *attempted) Close() error {
	c.stop()
	return c.Conn.Close()
}
