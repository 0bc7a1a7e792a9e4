package tlsconn

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms/tlsconn/testcert"
)

// TestRenewal: new files are shown at the next handshake after a look, half
// written ones never, and a handshake on the way to it never fails.
func TestRenewal(t *testing.T) {
	a, files := signed(t, time.Now().Add(time.Hour), "127.0.0.1")
	c, err := LoadCertificate(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.every = 0
	roots, err := Roots(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := listen(t, c.Config())
	serial := func() int64 {
		t.Helper()
		nc, err := Dial(t.Context(), addr, roots)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.(*Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 2 {
		t.Fatalf("certificate %d at first", got)
	}
	key, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Sign(time.Now().Add(time.Hour), "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	renewed, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, half := range [][]byte{key, renewed[:len(renewed)/2], nil} {
		if err := os.WriteFile(files.Key, half, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := serial(); got != 2 {
			t.Fatalf("certificate %d while the new key is not there", got)
		}
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Fatalf("certificate %d without a key", got)
	}
	if err := os.WriteFile(files.Key, renewed, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 {
		t.Errorf("certificate %d after the renewal", got)
	}
	if _, err := a.Sign(time.Now().Add(-time.Minute), "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 {
		t.Errorf("certificate %d, which has expired, was taken over", got)
	}
}

// TestFilesThatCannotBeUsed are refused at the start, by name.
func TestFilesThatCannotBeUsed(t *testing.T) {
	_, files := signed(t, time.Now().Add(time.Hour), "px.test")
	_, other := signed(t, time.Now().Add(time.Hour), "px.test")
	_, old := signed(t, time.Now().Add(-time.Hour), "px.test")
	for name, c := range map[string]struct{ cert, key, want string }{
		"no file":     {files.Cert + "x", files.Key, "cert.pemx"},
		"other's key": {files.Cert, other.Key, "does not match"},
		"swapped":     {files.Key, files.Cert, files.Key},
		"expired":     {old.Cert, old.Key, "expired"},
	} {
		if _, err := LoadCertificate(c.cert, c.key, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want a word of %q", name, err, c.want)
		}
	}
	for name, want := range map[string]string{files.Key: "no certificate", files.CA + "x": "ca.pemx"} {
		if _, err := Roots(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("authorities in %s: %v; want a word of %q", name, err, want)
		}
	}
	c, err := LoadCertificate(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	trust := func(f testcert.Files) *tls.Config {
		config, err := Roots(f.CA)
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	if err := c.Check("px.test", trust(files).RootCAs); err != nil {
		t.Error(err)
	}
	if err := c.Check("10.0.0.7", trust(files).RootCAs); err == nil || !strings.Contains(err.Error(), "is not for 10.0.0.7 but for px.test") {
		t.Errorf("wrong host: %v", err)
	}
	if err := c.Check("px.test", trust(other).RootCAs); err == nil || !strings.Contains(err.Error(), "nobody trusted here") {
		t.Errorf("wrong authority: %v", err)
	}
}
