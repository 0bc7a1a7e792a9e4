package jetstreamlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"positivity-exchange/shard/roomlog"
)

// Options configures a Log. URL, Cluster and Partitions are needed.
type Options struct {
	URL        string   // nats://host[:port][,host...], the nearest first; tls://, ws:// and user:password@ as NATS has them
	Cluster    string   // begins the names of streams and subjects; letters, digits, '-' and '_'
	Partitions int      // a constant of the cluster
	Replicas   int      // of each stream; 0: 3 if URL names three hosts or more, else 1
	Existing   bool     // fail if there is no log of the cluster, rather than make one; Replicas is then whatever it has
	Sync       string   // empty: roomlog.SyncNormal; roomlog.SyncFull: refuse servers that do not sync always
	Monitor    []string // monitoring URLs of all servers (http://host:8222), for roomlog.SyncFull

	Creds string // credentials file (JWT and key)
	NKey  string // seed file of an nkey
	CA    string // file of authorities that servers' certificates are checked against
	Cert  string // client certificate file, with Key
	Key   string

	Logger *slog.Logger
}

// CheckURL tells why a URL names no NATS servers, nil if it can.
func CheckURL(list string) error {
	_, err := hosts(list)
	return err
}

// hosts splits "nats://a,b:4223" into one URL each; scheme and user of the
// first hold for those without.
func hosts(list string) ([]string, error) {
	var urls []string
	var scheme string
	var user *url.Userinfo
	for i, item := range strings.Split(list, ",") {
		item = strings.TrimSpace(item)
		if i > 0 && !strings.Contains(item, "://") {
			item = scheme + "://" + item
		}
		u, err := url.Parse(item)
		if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
			return nil, errors.New("use nats://host[:port][,host...]")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return nil, errors.New("use nats://host[:port][,host...] (or tls://, ws://, wss://)")
		}
		if i == 0 {
			scheme, user = u.Scheme, u.User
		}
		if u.User == nil {
			u.User = user
		}
		u.Path = ""
		urls = append(urls, u.String())
	}
	return urls, nil
}

// check fills in defaults and returns the servers.
func (o *Options) check() ([]string, error) {
	urls, err := hosts(o.URL)
	if err != nil {
		return nil, fmt.Errorf("--log %q: %w", o.URL, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if !validToken(o.Cluster) {
		return nil, fmt.Errorf("cluster name %q cannot name a NATS stream: use letters, digits, '-' and '_'", o.Cluster)
	}
	if o.Partitions < 1 {
		return nil, errors.New("a room log needs partitions")
	}
	if o.Sync, err = roomlog.ParseSync(o.Sync); err != nil {
		return nil, fmt.Errorf("--sync %q: %w", o.Sync, err)
	}
	if o.Replicas == 0 {
		o.Replicas = 1
		if len(urls) >= 3 {
			o.Replicas = 3
		}
	}
	if o.Replicas < 1 || o.Replicas > 5 {
		return nil, fmt.Errorf("--nats-replicas %d: use 1, 3 or 5", o.Replicas)
	}
	return urls, nil
}

// validToken tells whether s can be one token of a subject and a stream's name.
func validToken(s string) bool {
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// connect reaches one of the servers and stays connected to any of them; lost
// is called each time when a connection has ended.
func connect(urls []string, o Options, lost func()) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("px room log of " + o.Cluster),
		nats.Timeout(2 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		// Nothing is kept for later: what was not sent is certainly not in.
		nats.ReconnectBufSize(-1),
		// A server that falls silent is left for another one.
		nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2),
		// The nearest first, as they are named: its machine's fate is ours anyway.
		nats.DontRandomize(),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			lost()
			if !c.IsClosed() {
				o.Logger.Warn("connection to the NATS server lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			o.Logger.Info("connected to a NATS server again", "addr", c.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Logger.Warn("NATS", "err", err) }),
	}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("--nats-nkey %s: %w", o.NKey, err)
		}
		opts = append(opts, option)
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" || o.Key != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	// Machines that boot together: the servers may be a moment later than we.
	deadline := time.Now().Add(connectFor)
	for {
		nc, err := nats.Connect(strings.Join(urls, ","), opts...)
		if err == nil {
			return nc, nil
		}
		if !errors.Is(err, nats.ErrNoServers) || time.Now().After(deadline) {
			return nil, fmt.Errorf("room log at %s: %w", redacted(o.URL), err)
		}
		pause(context.Background(), 100*time.Millisecond) //nolint:errcheck // never ends early
	}
}

// redacted is list without passwords, for people's eyes.
func redacted(list string) string {
	urls, err := hosts(list)
	if err != nil {
		return "the NATS servers"
	}
	for i := range urls {
		if u, err := url.Parse(urls[i]); err == nil {
			urls[i] = u.Redacted()
		}
	}
	return strings.Join(urls, ",")
}
