package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"positivity-exchange/client/profile"
	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/resources"
)

// Config is what every member of a cluster needs to know. The zero value of a
// field means its default.
type Config struct {
	Name       string   // stable name; needed
	Cluster    string   // gossip label; empty: membership.DefaultCluster
	Data       string   // shared data directory; needed
	SecretFile string   // file with the cluster's secret; empty: Secret, then Data/secret
	Secret     string   // hexadecimal or base64 of 32 bytes (PX_SECRET)
	Listen     string   // host:port for clients
	HTTP       string   // host:port for health and status; empty: nowhere; routers only
	Advertise  string   // host or host:port where others reach us, if not Listen
	Gossip     string   // host:port for gossip; empty: 127.0.0.1:7946 or the next free
	Join       []string // gossip addresses of members to start from
	RoomsFile  string   // rooms file; empty: the embedded one

	Log  string // where rooms are stored: empty for SQLite below Data, or nats://host[,host...]
	NATS NATS   // for a Log on NATS
	TLS  TLS    // of clients and of members that ask each other; zero: plain

	Sync        string // empty: roomlog.SyncNormal
	NoFenceKill bool   // never end a frozen process by force
	Alone       bool   // this process runs shards and nothing else
	Logger      *slog.Logger
	Network     Network // nil: this machine's
}

// NATS is how the NATS servers of Config.Log are reached, and what is asked of them.
type NATS struct {
	Creds, NKey   string   // files of credentials
	CA, Cert, Key string   // files for TLS
	Replicas      int      // of each stream; 0: 3 with three hosts or more, else 1
	Monitor       []string // monitoring URLs, for roomlog.SyncFull
	Existing      bool     // make no room log where there is none
}

// Network is what members reach each other over. Tests have one in memory.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
	Gossip() (membership.Transport, error)
}

// DefaultData is the data directory used when none is named: one per user, so
// that processes of one person find each other.
func DefaultData() string { return profile.Home("XDG_DATA_HOME", ".local/share") }

// rooms reads the rooms file, or the embedded one. Only rooms that a command
// could create are taken.
func (c Config) rooms() ([]comms.Room, error) {
	list, err := resources.Rooms()
	if c.RoomsFile != "" {
		list, err = resources.LoadRooms(c.RoomsFile)
	}
	if err != nil {
		return nil, err
	}
	rooms := make([]comms.Room, len(list))
	for i, r := range list {
		if err := comms.CheckRoomName(r.Name); err != nil {
			return nil, fmt.Errorf("rooms file %s: %w", c.RoomsFile, err)
		}
		if err := comms.CheckDescription(r.Description); err != nil {
			return nil, fmt.Errorf("rooms file %s: room %q: %w", c.RoomsFile, r.Name, err)
		}
		rooms[i] = comms.Room{Name: r.Name, Description: r.Description}
	}
	return rooms, nil
}

// bind listens on addr.
func (c Config) bind(addr string) (net.Listener, error) {
	listen := func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	if c.Network != nil {
		listen = c.Network.Listen
	}
	ln, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (choose another address, or port 0 for any free one)", addr, err)
	}
	return ln, nil
}

// listen binds addr for clients and returns the address to tell others.
func (c Config) listen(addr string) (net.Listener, string, error) {
	ln, err := c.bind(addr)
	if err != nil {
		return nil, "", err
	}
	public, err := publicAddr(ln.Addr().String(), c.Advertise)
	if err != nil {
		return nil, "", errors.Join(err, ln.Close())
	}
	return ln, public, nil
}

// publicAddr is where others reach a listener bound to bound.
func publicAddr(bound, advertise string) (string, error) {
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", bound, err)
	}
	if advertise != "" {
		if h, p, err := net.SplitHostPort(advertise); err == nil {
			host = h
			if p != "0" && p != "" {
				port = p
			}
		} else {
			host = advertise
		}
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("%s is no address that others can reach: add --advertise HOST", bound)
	}
	public := net.JoinHostPort(host, port)
	if len(public) > membership.MaxAddr {
		return "", fmt.Errorf("advertised address %q is longer than %d bytes", public, membership.MaxAddr)
	}
	return public, nil
}

// advertiseHost is the host part of an advertised address.
func advertiseHost(advertise string) string {
	if h, _, err := net.SplitHostPort(advertise); err == nil {
		return h
	}
	return advertise
}
