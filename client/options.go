package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
)

// Options configures a Session.
type Options struct {
	// Routers are host:port (see ParseRouters), or what Dial takes; asked in turn, the
	// next also when one is not quick to answer.
	Routers []string
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

// check finds what can never work.
func (o *Options) check() error {
	if len(o.Routers) == 0 {
		return errors.New("no router to connect to")
	}
	for _, addr := range o.Routers {
		if _, _, err := net.SplitHostPort(addr); o.Dial == nil && err != nil {
			return fmt.Errorf("%q is no router's address; use host:port", addr)
		}
	}
	if o.EventBuffer < 0 {
		return fmt.Errorf("a buffer of %d events cannot be; 0 means the usual one", o.EventBuffer)
	}
	return nil
}
