package tlsconn

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAuthoritiesFollowTheirFile: a new one is trusted at the next dial after a
// look; a file that cannot be used is told of once, and changes nothing.
func TestAuthoritiesFollowTheirFile(t *testing.T) {
	_, files := signed(t, time.Now().Add(time.Hour), "127.0.0.1")
	_, other := signed(t, time.Now().Add(time.Hour), "127.0.0.1")
	c, err := LoadCertificate(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := listen(t, c.Config())
	mine, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a, err := LoadAuthorities(other.CA, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a.every = 0
	dial := func() error {
		nc, err := Dial(t.Context(), addr, a.Config())
		if err == nil {
			nc.Close() //nolint:errcheck // nothing was owed
		}
		return err
	}
	replace := func(pem []byte) {
		t.Helper()
		if err := os.WriteFile(other.CA, pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := dial(); err == nil || !Trouble(err) {
		t.Fatalf("an authority nobody named: %v", err)
	}
	replace(mine)
	if err := dial(); err != nil {
		t.Fatalf("the new authority: %v", err)
	}
	replace(nil)
	for range 3 {
		if err := dial(); err != nil {
			t.Errorf("with an empty file: %v", err)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, not 1: %s", n, &log)
	}
	if err := os.Remove(other.CA); err != nil {
		t.Fatal(err)
	}
	if err := dial(); err != nil {
		t.Errorf("without the file: %v", err)
	}
	replace(mine)
	if err := dial(); err != nil || !strings.Contains(log.String(), "took over new TLS authorities") {
		t.Errorf("with the file again: %v, %s", err, &log)
	}
}
