package main

import (
	"crypto/tls"
	"slices"

	"github.com/urfave/cli/v2"

	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/comms/tlsconn"
)

// withTLS gives the flags of TLS to the commands that listen or dial, which
// the flags they have tell.
func withTLS(commands []*cli.Command) []*cli.Command {
	has := func(c *cli.Command, name string) bool {
		return slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	}
	for _, c := range commands {
		switch {
		case has(c, "gossip"):
			c.Flags = append(c.Flags,
				flag("tls-cert", "", "certificate `FILE` (PEM, with its chain): clients and members are spoken to with TLS only"),
				flag("tls-key", "", "`FILE` with the certificate's key"),
				flag("tls-ca", "", "`FILE` with the authorities that vouch for the cluster's certificates (default: the system's)"))
		case has(c, "router"):
			c.Flags = append(c.Flags,
				boolFlag("tls", "speak TLS, trusting the system's authorities"),
				flag("tls-ca", "", "speak TLS, trusting the authorities in `FILE` (PEM)"))
		}
	}
	return commands
}

// memberTLS is what the flags of a member say.
func memberTLS(c *cli.Context) (app.TLS, error) {
	t := app.TLS{Cert: c.String("tls-cert"), Key: c.String("tls-key"), CA: c.String("tls-ca")}
	if err := t.Check(); err != nil {
		return t, usagef("%s", err)
	}
	return t, nil
}

// clientTLS is how a command dials the cluster; nil: plain. px up has no --tls:
// its client speaks TLS where its members do.
func clientTLS(c *cli.Context) (*tls.Config, error) {
	if !c.Bool("tls") && c.String("tls-ca") == "" && c.String("tls-cert") == "" {
		return nil, nil
	}
	return tlsconn.Roots(c.String("tls-ca"))
}
