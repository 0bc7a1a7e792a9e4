package client

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
)

// Options configures a Session.
type Options struct {
	Routers []string     // host:port, asked in turn, the next also when one is not quick to answer
	User    string       // name wished for; empty: a guest name from the router
	Logger  *slog.Logger // nil: discards
	// TLS is used on top of the TCP that Dial's default makes; nil: plain. The
	// server's name is the host of its address unless ServerName is set.
	TLS *tls.Config
	// Dial opens connections to routers and shards; nil means TCP with
	// comms.DialTimeout, and TLS as above.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// EventBuffer is how many events wait for the reader of Events before the
	// session stops reading from its connections. 0 means 256.
	EventBuffer int
}
