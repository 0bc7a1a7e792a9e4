package membership

import (
	"context"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// besides is how many addresses are tried beside each other: the silent ones
// cost their two seconds once, not each.
const besides = 8

// lookedUpFor is how long what a name stands for is taken for granted.
const lookedUpFor = time.Minute

// seed is a member to join, as it was given and as it was last looked up.
type seed struct {
	host, port string
	addrs      []string
	looked     time.Time
}

// seedsOf reads the addresses to join.
func seedsOf(join []string) ([]*seed, error) {
	var seeds []*seed
	for _, addr := range join {
		if addr == "" {
			continue // a script's variable that holds none
		}
		s, err := parseSeed(addr)
		if err != nil {
			return nil, fmt.Errorf("address to join %q: %w", addr, err)
		}
		seeds = append(seeds, s)
	}
	return seeds, nil
}

// CheckJoin tells why addr is no gossip address to join, nil if it can be one.
// It looks nothing up.
func CheckJoin(addr string) error {
	_, err := parseSeed(addr)
	return err
}

// parseSeed takes an address apart; the port may be left out.
func parseSeed(addr string) (*seed, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		host, text = addr, strconv.Itoa(firstPort)
		if strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]") {
			host = addr[1 : len(addr)-1]
		}
	}
	_, err = netip.ParseAddr(host)
	if err != nil && (host == "" || strings.ContainsAny(host, ":/[] ")) { // what has a ':' is an IP address, or a mistake
		return nil, fmt.Errorf("use host:port, or a host alone ([::1]:%d, or ::1 alone)", firstPort)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return nil, errors.New("the port must be 1 to 65535")
	}
	return &seed{host: host, port: strconv.Itoa(port)}, nil
}

// lookUp finds what the seeds' names stand for, of the family of like if there
// is one: members are known by numbers, and one known by its name alone would
// be joined again for ever.
func (c *Cluster) lookUp(ctx context.Context, like net.IP) {
	each(c.seeds, func(s *seed) {
		if s.addrs != nil && time.Since(s.looked) < lookedUpFor {
			return
		}
		found, err := addresses(ctx, s.host, like)
		if err != nil {
			if ctx.Err() == nil {
				c.warnOnce("look up "+s.host, "no address for a member to join", "host", s.host, "err", err)
			}
			return // and what it stood for before stays
		}
		s.addrs, s.looked = nil, time.Now()
		for _, ip := range found {
			s.addrs = append(s.addrs, net.JoinHostPort(ip, s.port))
		}
	})
}

// checkReach refuses to gossip at a loopback with members elsewhere: they could
// be joined, and would take this one for dead, each side serving all rooms.
func (c *Cluster) checkReach(host string) error {
	ip := net.ParseIP(host)
	if !ip.IsLoopback() {
		return nil
	}
	c.lookUp(context.Background(), ip)
	for _, s := range c.seeds {
		if len(s.addrs) > 0 && !slices.ContainsFunc(s.addrs, isLoopback) {
			return fmt.Errorf("gossip at %s cannot be reached from %s: give --gossip HOST:PORT", host, s.host)
		}
	}
	return nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// rejoin tries seeds, discovered and lately lost members that are not members
// now, and tells how many it tried and how many of them answered, be it with a
// refusal. memberlist never heals a partition by itself.
func (c *Cluster) rejoin(ctx context.Context) (tried, answered int) {
	own, _, _ := net.SplitHostPort(c.Self().Gossip) //nolint:errcheck // "" is like any
	c.lookUp(ctx, net.ParseIP(own))
	try := map[string]bool{}
	for _, s := range c.seeds {
		for _, addr := range s.addrs {
			try[addr] = true
		}
	}
	for _, addr := range c.discovered() {
		try[addr] = true
	}
	c.mu.Lock()
	for addr, when := range c.lost {
		if time.Since(when) > time.Minute {
			delete(c.lost, addr)
			continue
		}
		try[addr] = true
	}
	c.mu.Unlock()
	for _, n := range c.known() {
		delete(try, n.addr)
	}
	var n atomic.Int64
	each(slices.Sorted(maps.Keys(try)), func(addr string) {
		if c.join(ctx, addr) {
			n.Add(1)
		}
	})
	return len(try), int(n.Load())
}

// join makes a full exchange with whoever is at addr, and tells whether somebody is.
func (c *Cluster) join(ctx context.Context, addr string) bool {
	if ctx.Err() != nil {
		return false
	}
	a, done := c.out.try(ctx, addr)
	defer done()
	_, err := c.list.Join([]string{addr})
	if err == nil {
		return true
	}
	if first := errors.Unwrap(err); first != nil {
		err = first // of a list of one
	}
	answered, why := a.answered()
	cause := strings.TrimPrefix(err.Error(), "failed to join "+addr+": ")
	c.logger.Debug("join", "addr", addr, "err", cause)
	if !answered || ctx.Err() != nil || c.incompatible() != nil || c.warned(cause) {
		return answered
	}
	if why != nil {
		if c.firstTime(addr + " hung up") { // it may just have been killed
			return true
		}
		cause = why.Error()
	}
	c.warnOnce(addr+" "+cause, "a member answers and cannot be joined: is its secret, or its --cluster, another?", "addr", addr, "err", cause)
	return true
}

func (c *Cluster) rejoinLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(1500*time.Millisecond + mathrand.N(time.Second)):
			c.renew()
			c.rejoin(ctx)
		}
	}
}

// warnOnce logs what would else be said every two seconds, or by everybody who tries.
func (c *Cluster) warnOnce(key, msg string, args ...any) {
	if c.firstTime(key) {
		c.logger.Warn(msg, args...)
	}
}

// firstTime takes key down and tells whether it was not there yet.
func (c *Cluster) firstTime(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.warnings[key] {
		return false
	}
	if len(c.warnings) > 1000 { // of addresses that come and go for years
		clear(c.warnings)
	}
	c.warnings[key] = true
	return true
}

// warned tells whether warnOnce has logged key.
func (c *Cluster) warned(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.warnings[key]
}

// each calls f for all, some beside each other, and returns after the last.
func each[T any](all []T, f func(T)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, besides)
	for _, one := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(one)
		})
	}
}
