package tlsconn

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
)

// Authorities are those whom a member trusts when it dials. They follow their
// file as a Certificate does.
type Authorities struct {
	followed[tls.Config]
}

// LoadAuthorities is Roots for those who run for long. A nil logger discards.
// The system's authorities are read once.
func LoadAuthorities(caFile string, logger *slog.Logger) (*Authorities, error) {
	a := &Authorities{}
	a.what = "TLS authorities"
	a.read = func() (*tls.Config, error) { return Roots(caFile) }
	a.about = func(*tls.Config) []any { return nil }
	if caFile != "" {
		a.files = []string{caFile}
	}
	return a, a.load(logger)
}

// Config is the client's config for the next connection.
func (a *Authorities) Config() *tls.Config { return a.now() }

// Roots is a client's config that trusts the authorities in a file in PEM, or
// the system's where the name is empty.
func Roots(caFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("TLS authorities: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("TLS authorities: %s holds no certificate in PEM", caFile)
	}
	return config, nil
}
