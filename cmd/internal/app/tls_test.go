package app

import (
	"net"
	"os"
	"testing"
	"time"

	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/comms/tlsconn/testcert"
	"positivity-exchange/membership"
)

// TestMembersTrustANewAuthority without a restart, once its file is there.
func TestMembersTrustANewAuthority(t *testing.T) {
	files := func() testcert.Files {
		a, err := testcert.NewAuthority(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f, err := a.Sign(time.Now().Add(time.Hour), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	shard, router := files(), files()
	listener, _, err := Config{TLS: TLS{Cert: shard.Cert, Key: shard.Key, CA: shard.CA}}.secure(membership.RoleShard, "127.0.0.1:7000")
	if err != nil {
		t.Fatal(err)
	}
	_, dial, err := Config{TLS: TLS{CA: router.CA}}.secure(membership.RoleRouter, "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			if nc, err = tlsconn.Accept(t.Context(), nc, listener, "shard"); err == nil {
				nc.Close() //nolint:errcheck // it was only to be reached
			}
		}
	}()
	defer func() { ln.Close(); <-done }()
	reached := func() error {
		nc, err := dial(t.Context(), ln.Addr().String())
		if err == nil {
			nc.Close() //nolint:errcheck // nothing was owed
		}
		return err
	}
	if err := reached(); !tlsconn.Trouble(err) {
		t.Fatalf("before the authority is known: %v", err)
	}
	authority, err := os.ReadFile(shard.CA)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(router.CA, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); reached() != nil; <-tick.C {
		if time.Now().After(end) {
			t.Fatal("the new authority is not trusted after 10 s")
		}
	}
}
