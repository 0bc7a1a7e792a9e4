package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"positivity-exchange/comms/peer"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
)

// TLS names the files, in PEM, of a member that listens and dials with TLS.
type TLS struct {
	Cert, Key string // what clients and members are shown; both or neither
	CA        string // authorities trusted when dialling members; empty: the system's
}

// Check tells why the files cannot go together, nil if they can.
func (t TLS) Check() error {
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("a certificate and its key belong together: give --tls-cert and --tls-key")
	}
	return nil
}

// secure returns the listener's config (nil: plain) and how shards are dialled
// by a member whom others reach at public. A router may dial with TLS and
// listen without, for a proxy in front of it.
func (c Config) secure(role membership.Role, public string) (listener *tls.Config, dial peer.Dial, err error) {
	t := c.TLS
	dial = func(ctx context.Context, addr string) (net.Conn, error) { return tlsconn.Dial(ctx, addr, nil) }
	if c.Network != nil {
		dial = c.Network.Dial
	}
	if err := t.Check(); err != nil {
		return nil, nil, err
	}
	switch {
	case t == TLS{}:
		return nil, dial, nil
	case t.Cert == "" && role == membership.RoleShard:
		return nil, nil, errors.New("a shard that dials others with TLS must itself speak it: give --tls-cert and --tls-key too")
	}
	authorities, err := tlsconn.LoadAuthorities(t.CA, c.Logger)
	if err != nil {
		return nil, nil, err
	}
	if t.Cert != "" {
		certificate, err := tlsconn.LoadCertificate(t.Cert, t.Key, c.Logger)
		if err != nil {
			return nil, nil, err
		}
		// Found here, and not by every member and client in turn.
		if host, _, err := net.SplitHostPort(public); err == nil && role == membership.RoleShard {
			if err := certificate.Check(host, authorities.Config().RootCAs); err != nil {
				return nil, nil, fmt.Errorf("others will not talk to this shard, which they reach at %s: %w", public, err)
			}
		}
		listener = certificate.Config()
	}
	plain := dial
	return listener, func(ctx context.Context, addr string) (net.Conn, error) {
		nc, err := plain(ctx, addr)
		if err != nil {
			return nil, err
		}
		return tlsconn.Client(ctx, nc, addr, authorities.Config())
	}, nil
}
