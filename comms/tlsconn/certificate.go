package tlsconn

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"
)

// Certificate is a server's certificate that follows its files: new ones are
// used from the next handshake on, connections that stand stay as they are.
type Certificate struct {
	followed[tls.Certificate]
}

// LoadCertificate reads a certificate with its chain, and its key, both in PEM.
// A nil logger discards.
func LoadCertificate(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{}
	c.what, c.files = "TLS certificate", []string{certFile, keyFile}
	c.read = func() (*tls.Certificate, error) { return readPair(certFile, keyFile) }
	c.about = func(pair *tls.Certificate) []any { return []any{"expires", pair.Leaf.NotAfter} }
	return c, c.load(logger)
}

func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", certFile, keyFile, err)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("TLS certificate %s expired on %s", certFile, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	return &pair, nil
}

// Config is of a server with this certificate: TLS 1.2 or later.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now(), nil },
		// Each record is a write: one for what was gathered, not one a packet.
		DynamicRecordSizingDisabled: true,
	}
}

// Check reports what clients that trust roots (nil: the system's) would find
// wrong with the certificate at this host.
func (c *Certificate) Check(host string, roots *x509.CertPool) error {
	pair := c.current.Load()
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(cert)
		}
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
	if err != nil {
		return explain(c.files[0], host, err)
	}
	return nil
}
