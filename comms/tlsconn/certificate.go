package tlsconn

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = 2 * time.Second

// Certificate is a server's certificate that follows its files: new ones are
// used from the next handshake on, connections that stand stay as they are.
type Certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	every             time.Duration
	current           atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	looked time.Time
	loaded [2]stamp
	wrong  string // what was said last about files that cannot be used
}

// stamp tells versions of a file apart.
type stamp struct {
	time time.Time
	size int64
}

// LoadCertificate reads a certificate with its chain, and its key, both in PEM.
// A nil logger discards.
func LoadCertificate(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger, every: lookEvery, looked: time.Now()}
	now := c.stamps()
	pair, err := c.read()
	if err != nil {
		return nil, err
	}
	c.current.Store(pair)
	c.loaded = now
	return c, nil
}

func (c *Certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("TLS certificate %s expired on %s", c.certFile, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	return &pair, nil
}

// stamps are of both files; the zero value of one that cannot be seen.
func (c *Certificate) stamps() (s [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
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
		return explain(c.certFile, host, err)
	}
	return nil
}

// now is the certificate to show. One handshake at a time looks at the files;
// the others go on with what there is.
func (c *Certificate) now() *tls.Certificate {
	if c.mu.TryLock() {
		if time.Since(c.looked) >= c.every {
			c.looked = time.Now()
			c.look()
		}
		c.mu.Unlock()
	}
	return c.current.Load()
}

// look takes new files over. Those that cannot be used, such as a new
// certificate whose key is not written yet, are tried again at the next look.
func (c *Certificate) look() {
	now := c.stamps()
	if now == c.loaded {
		return
	}
	pair, err := c.read()
	if err != nil {
		if c.wrong != err.Error() {
			c.wrong = err.Error()
			c.logger.Warn("the TLS certificate stays the old one", "err", err)
		}
		return
	}
	c.current.Store(pair)
	c.loaded, c.wrong = now, ""
	c.logger.Info("took a new TLS certificate", "file", c.certFile, "expires", pair.Leaf.NotAfter)
}

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
