package tlsconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"positivity-exchange/comms"
)

// Error tells why the two ends do not agree on TLS. Trying again does not help
// until somebody changes a file or a flag.
type Error struct {
	Reason string // one sentence that names the address
	Err    error  // as the library has it
}

func (e *Error) Error() string { return e.Reason }

func (e *Error) Unwrap() error { return e.Err }

// Trouble reports whether err tells that the two ends do not agree on TLS.
func Trouble(err error) bool {
	var ours *Error
	var theirs *comms.Error
	return errors.As(err, &ours) || errors.As(err, &theirs) && theirs.Code == comms.CodeTLS
}

// Dial connects to host:port by TCP, and by TLS on it unless config is nil.
func Dial(ctx context.Context, addr string, config *tls.Config) (net.Conn, error) {
	d := net.Dialer{Timeout: comms.DialTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return Client(ctx, nc, addr, config)
}

// Client does a client's half of the handshake on nc, a connection to addr,
// within DialTimeout, and returns the connection to go on with. Unless config
// names another, the server is to have a certificate for addr's host. It
// returns nc itself where config is nil; after an error nc is closed.
func Client(ctx context.Context, nc net.Conn, addr string, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return nc, nil
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, errors.Join(err, nc.Close())
		}
		config = config.Clone()
		config.ServerName = host
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() }) //nolint:errcheck // ends the handshake
	w := &wire{Conn: nc}
	c := &Conn{tls.Client(w, config), w}
	err := nc.SetDeadline(time.Now().Add(comms.DialTimeout))
	if err == nil {
		err = c.Handshake()
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if !stop() {
		err = ctx.Err() // it is closed, or will be in a moment
	}
	if err != nil {
		nc.Close() //nolint:errcheck // the first error counts
		return nil, explain(addr, config.ServerName, err)
	}
	return c, nil
}

// explain says what is wrong and, where somebody can, what to do.
func explain(addr, host string, err error) error {
	var header tls.RecordHeaderError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	because := func(format string, args ...any) error {
		return &Error{fmt.Sprintf(format, args...), err}
	}
	const day = "2006-01-02 15:04 MST"
	switch {
	case errors.As(err, &header):
		return because("%s does not speak TLS: leave out --tls and --tls-ca, or give it a certificate", addr)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(invalid.Cert.NotBefore):
		return because("the certificate of %s is not valid before %s; is this machine's clock right?", addr, invalid.Cert.NotBefore.Format(day))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return because("the certificate of %s expired on %s", addr, invalid.Cert.NotAfter.Format(day))
	case errors.As(err, &unknown):
		return because("the certificate of %s is signed by nobody trusted here: name its authority's file with --tls-ca", addr)
	case errors.As(err, &name):
		return because("the certificate of %s is not for %s but for %s", addr, host, namesOf(name.Certificate))
	case errors.As(err, &invalid):
		return because("the certificate of %s is not valid: %s", addr, invalid.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s did not finish the TLS handshake within %s; does it speak TLS?", addr, comms.DialTimeout)
	}
	return fmt.Errorf("TLS handshake with %s: %w", addr, err)
}

// namesOf lists whom a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "nobody (it has no subjectAltName)"
	}
	return strings.Join(names, ", ")
}
