package membership

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// DefaultCluster is the name of a cluster that was given none.
const DefaultCluster = "px"

// Options configures a Cluster.
type Options struct {
	Cluster   string       // gossip label; empty: DefaultCluster
	Name      string       // needed: stable name
	Boot      string       // boot id; drawn when empty
	Role      Role         // needed
	Client    string       // needed: advertised client address
	Bind      string       // gossip host:port; port 0 means any; "" means 127.0.0.1:7946 or the next free
	Advertise string       // host that others reach gossip at, if not Bind's; not used where that is a loopback
	Join      []string     // gossip addresses of seeds, port 7946 where none is given
	Dir       string       // shared data directory for discovery; "" means none
	Secret    []byte       // 32 bytes; nil: no encryption, loopback only
	LogID     string       // identity of the room log; "" is not compared
	Linker    Linker       // nil: no member connections
	Transport Transport    // nil: UDP and TCP at Bind; tests have one in memory
	Logger    *slog.Logger // nil: discards
}

// lookupFor bounds the look for the address of a host.
const lookupFor = 5 * time.Second

// firstPort is where gossip listens by default (memberlist's usual port).
const firstPort = 7946

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
		return "0.0.0.0", []int{port}, nil
	}
	if host, err = address(host, nil); err != nil {
		return "", nil, fmt.Errorf("gossip address %q: %w", bind, err)
	}
	return host, []int{port}, nil
}

// address is a host's, which may be a name: the gossip library takes a name that
// it is to listen at for all interfaces, and none that it is to tell others.
func address(host string, like net.IP) (string, error) {
	found, err := addresses(context.Background(), host, like)
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// addresses are a host's: those of the family of like, or of IPv4, where it has
// some of both.
func addresses(ctx context.Context, host string, like net.IP) ([]string, error) {
	if ip := net.ParseIP(host); ip != nil {
		return []string{ip.String()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%w (an IP address needs no looking up)", err)
	}
	var alike, all []string
	for _, ip := range found {
		ip = ip.Unmap()
		all = append(all, ip.String())
		if ip.Is4() == (like == nil || like.To4() != nil) {
			alike = append(alike, ip.String())
		}
	}
	if len(alike) > 0 {
		return alike, nil
	}
	return all, nil
}

// advertised is where others reach gossip that listens at host.
func (o Options) advertised(host string) (string, error) {
	ip := net.ParseIP(host)
	if ip.IsLoopback() {
		return "", nil // nobody comes to a loopback by another way
	}
	if o.Advertise == "" {
		if ip.IsUnspecified() && ip.To4() == nil {
			return "", fmt.Errorf("gossip on %s: all addresses, of which others are told none: add --advertise HOST", o.Bind)
		}
		return "", nil // the library finds one, of IPv4
	}
	found, err := address(o.Advertise, ip)
	if err != nil {
		return "", fmt.Errorf("gossip for others at %s: %w", o.Advertise, err)
	}
	return found, nil
}

// config holds the settings measured for a LAN with detection in one to two seconds.
func (c *Cluster) config(host, advertise string, port int) *memberlist.Config {
	cfg := memberlist.DefaultLANConfig()
	var suffix [18]byte
	rand.Read(suffix[:]) //nolint:errcheck // never fails
	// A name of its own for every boot makes a fast restart a plain leave and join.
	// Names differ in length because the library's queue may take a piece of news for
	// another of the same length, and lose it (hashicorp/memberlist, pull request 263).
	cfg.Name = c.opts.Name + "#" + hex.EncodeToString(suffix[:])[:4+mathrand.IntN(32)]
	cfg.BindAddr, cfg.BindPort = host, port
	cfg.AdvertiseAddr, cfg.AdvertisePort = advertise, port
	cfg.ProbeInterval, cfg.ProbeTimeout = 250*time.Millisecond, 125*time.Millisecond
	cfg.SuspicionMult, cfg.SuspicionMaxTimeoutMult, cfg.AwarenessMaxMultiplier = 4, 2, 8
	cfg.GossipInterval, cfg.GossipNodes, cfg.IndirectChecks = 100*time.Millisecond, 3, 3
	// Each member passes a piece of news on that many times for each digit of the
	// number of members. With the library's 4 one of five members missed one denial
	// in 200 of its being suspected, and took the sender for dead (19 of 5,017 stops
	// of up to a second). 24 last 0.8 s at three a round: also what came up while
	// the cable was out for half a second gets through. The queue sends the least sent first,
	// so that news old enough costs what is idle otherwise.
	cfg.RetransmitMult = 24
	cfg.PushPullInterval, cfg.TCPTimeout = 10*time.Second, dialFor
	cfg.GossipToTheDeadTime, cfg.DeadNodeReclaimTime = 30*time.Second, time.Second
	cfg.EnableCompression, cfg.UDPBufferSize = false, 1400
	cfg.Label, cfg.SecretKey = c.opts.Cluster, c.opts.Secret
	d := delegate{c}
	cfg.Delegate, cfg.Events, cfg.Merge, cfg.Alive = d, d, d, d
	cfg.Logger = slog.NewLogLogger(c.logger.Handler(), slog.LevelDebug)
	return cfg
}
