package jetstreamlog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

func TestHostsOfAnAddress(t *testing.T) {
	for text, want := range map[string]string{
		"nats://a":                          "nats://a",
		"nats://a,b:4223, c":                "nats://a nats://b:4223 nats://c",
		"tls://ada:secret@a,b":              "tls://ada:secret@a tls://ada:secret@b",
		"nats://ada:x@a,nats://bob:y@b":     "nats://ada:x@a nats://bob:y@b",
		"http://a":                          "",
		"nats://":                           "",
		"nats://a/b":                        "",
		"/var/lib/px":                       "",
		"nats://a,,b":                       "",
		"wss://chat.example.org:443,b:4443": "wss://chat.example.org:443 wss://b:4443",
	} {
		got, err := hosts(text)
		if strings.Join(got, " ") != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestPasswordsAreNotForPeoplesEyes(t *testing.T) {
	for list, want := range map[string]string{
		"nats://a,b:4223":       "nats://a,nats://b:4223",
		"nats://px:hunter2@a,b": "nats://px:xxxxx@a,nats://px:xxxxx@b",
		"nats://hunter2@a":      "nats://xxxxx@a", // a token
		"nats://px:hunter2@a/b": "the NATS servers",
	} {
		if got := Redacted(list); got != want {
			t.Errorf("%s is shown as %s, want %s", list, got, want)
		}
	}
}

func TestVersionsBeforeAtomicBatchesAreRefused(t *testing.T) {
	for version, ok := range map[string]bool{"2.11.9": false, "2.12.0": true, "2.15.2": true, "3.0.0": true, "1.4.1": false, "2.9.0-beta.1": false} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// TestStreamsThatDifferAreNamed changes what px relies on, one thing at a time.
func TestStreamsThatDifferAreNamed(t *testing.T) {
	url := natstest.Start(t, natstest.Config{}).URL()
	opts := Options{URL: url, Cluster: "px", Partitions: 3}
	l, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	again, err := Open(opts)
	if err != nil || again.Identity() != l.Identity() || len(l.Identity()) != 24 {
		t.Fatalf("opened again: %v, identity %q, first %q", err, again.Identity(), l.Identity())
	}
	again.Close()
	s, err := l.js.Stream(t.Context(), "px-records-1")
	if err != nil {
		t.Fatal(err)
	}
	good := s.CachedInfo().Config
	for want, change := range map[string]func(*jetstream.StreamConfig){
		"max messages is 5, not 0":                         func(c *jetstream.StreamConfig) { c.MaxMsgs = 5 },
		"max age is 1h0m0s, not 0s":                        func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"discard is DiscardOld, not DiscardNew":            func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"subjects is [px.1.> px.7.>], not [px.1.>]":        func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "px.7.>") },
		"allow atomic publish is false, not true":          func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false },
		"px-schema is 9, not 1":                            func(c *jetstream.StreamConfig) { c.Metadata[metaSchema] = "9" },
		"px-identity is another, not " + l.Identity() + "": func(c *jetstream.StreamConfig) { c.Metadata[metaIdentity] = "another" },
	} {
		bad := good
		bad.Subjects = slices.Clone(good.Subjects)
		bad.Metadata = map[string]string{}
		for k, v := range good.Metadata {
			bad.Metadata[k] = v
		}
		change(&bad)
		if _, err := l.js.UpdateStream(t.Context(), bad); err != nil {
			t.Fatal(want, err)
		}
		if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "px-records-1") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := l.js.UpdateStream(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	opts.Partitions = 4
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "px-partitions is 3, not 4") {
		t.Errorf("other constants: %v", err)
	}
	opts.Replicas = 3
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "replicas is 1, not 3") {
		t.Errorf("other replicas: %v", err)
	}
	opts.Cluster = "other"
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "with 3 replicas") {
		t.Errorf("three replicas of one server: %v", err)
	}
	opts.Cluster = "a.b"
	if _, err := Open(opts); err == nil || !strings.Contains(err.Error(), "cluster name") {
		t.Errorf("a name that is no stream's: %v", err)
	}
}

func TestSeveralThatStartAtOnceAgree(t *testing.T) {
	url := natstest.Start(t, natstest.Config{}).URL()
	ids := make([]string, 5)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			l, err := Open(Options{URL: url, Cluster: "px", Partitions: 20})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = l.Identity()
			l.Close()
		})
	}
	wg.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("identities %q", ids)
	}
}

func TestExistingIsOpenedAndNothingMade(t *testing.T) {
	url := natstest.Start(t, natstest.Config{}).URL()
	l, err := Open(Options{URL: url, Cluster: "px", Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l, err := Open(Options{URL: url, Cluster: "pz", Partitions: 3, Existing: true}); err == nil || !strings.Contains(err.Error(), `no room log of a cluster "pz"`) {
		t.Errorf("a cluster that is not there: %v, %v", l, err)
	}
	for name := range l.js.StreamNames(t.Context()).Name() {
		if strings.HasPrefix(name, "pz") {
			t.Errorf("it made the stream %s", name)
		}
	}
	same, err := Open(Options{URL: url + "," + url + "," + url, Cluster: "px", Partitions: 3, Existing: true})
	if err != nil {
		t.Fatalf("one that has 1 replica, through three addresses: %v", err)
	}
	same.Close()
}

func TestSyncFullIsLookedAt(t *testing.T) {
	slow := natstest.Start(t, natstest.Config{})
	always := natstest.Start(t, natstest.Config{SyncAlways: true})
	open := func(url string, monitor ...string) error {
		l, err := Open(Options{URL: url, Cluster: "px", Partitions: 1, Sync: "full", Monitor: monitor})
		if err == nil {
			l.Close()
		}
		return err
	}
	if err := open(always.URL()); err == nil || !strings.Contains(err.Error(), "--nats-monitor") {
		t.Errorf("unseen: %v", err)
	}
	if err := open(always.URL(), always.MonitorURL()); err != nil {
		t.Error(err)
	}
	if err := open(always.URL(), always.MonitorURL(), slow.MonitorURL()); err == nil || !strings.Contains(err.Error(), "sync_interval: always") {
		t.Errorf("one that does not: %v", err)
	}
}

// certificate makes one for 127.0.0.1 that vouches for itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestPasswordAndTLS(t *testing.T) {
	cert, key := certificate(t)
	s := natstest.Start(t, natstest.Config{User: "ada", Password: "lovelace", TLSCert: cert, TLSKey: key})
	address := strings.TrimPrefix(s.URL(), "nats://")
	l, err := Open(Options{URL: "tls://ada:lovelace@" + address, CA: cert, Cluster: "px", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(t.Context(), 0, roomlog.Owner{}, roomlog.Owner{Boot: "b"}); err != nil {
		t.Error(err)
	}
	l.Close()
	for what, o := range map[string]Options{
		"wrong password":    {URL: "tls://ada:wrong@" + address, CA: cert},
		"unknown authority": {URL: "tls://ada:lovelace@" + address},
	} {
		o.Cluster, o.Partitions = "px", 1
		if _, err := Open(o); err == nil || strings.Contains(err.Error(), "wrong@") || strings.Contains(err.Error(), "lovelace") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
