package membership

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
)

// TestGossipAtALoopbackIsNotForMembersElsewhere: others could not come back, and
// each side would take the other for dead and serve all rooms itself.
func TestGossipAtALoopbackIsNotForMembersElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		bind, join string
		refused    bool
	}{
		"elsewhere":                {"", "10.9.0.1:7946", true},
		"elsewhere, by default":    {"127.0.0.1:0", "10.9.0.1", true},
		"elsewhere, IPv6":          {"127.0.0.1:0", "[2001:db8::1]:7946", true},
		"here":                     {"127.0.0.1:0", "127.0.0.1:7946", false},
		"here, by name":            {"127.0.0.1:0", "localhost:7946", false},
		"nowhere that is known of": {"127.0.0.1:0", "chat..example:7946", false},
	} {
		m, err := New(Options{Name: "s1", Role: RoleShard, Client: "10.9.0.2:1", Bind: c.bind, Join: []string{"127.0.0.1:1", c.join}})
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--gossip") {
			t.Errorf("%s: %q does not say what to give", name, err)
		}
		if m != nil {
			m.list.Shutdown() //nolint:errcheck // it has run nothing
		}
	}
}

func TestAddressesToJoin(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:7000": "10.0.0.1:7000", "10.0.0.1": "10.0.0.1:7946", "chat.example": "chat.example:7946",
		"::1": "[::1]:7946", "[::1]": "[::1]:7946", "[::1]:7000": "[::1]:7000",
		"10.0.0.1:seven": "", "10.0.0.1:0": "", "10.0.0.1:70000": "", "a:1:2": "", "::zz": "", "[::1": "", "a b": "", ":7946": "",
	} {
		seeds, err := seedsOf([]string{addr})
		if want == "" {
			if err == nil {
				t.Errorf("%s was taken", addr)
			}
			continue
		}
		if err != nil || net.JoinHostPort(seeds[0].host, seeds[0].port) != want {
			t.Errorf("%s: %+v, %v; want %s", addr, seeds, err, want)
		}
	}
}

// TestSeedsByNameAreJoinedOnce: a member is known by its number, and one that was
// given by name must not cost a full exchange every two seconds.
func TestSeedsByNameAreJoinedOnce(t *testing.T) {
	a := start(t, Options{Name: "s1", LogID: "log"})
	_, port, err := net.SplitHostPort(a.Self().Gossip)
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := free.Addr().String()
	free.Close()
	_, ownPort, _ := net.SplitHostPort(own)
	b, err := New(Options{Name: "s2", Role: RoleShard, Client: "127.0.0.1:1", Bind: own, LogID: "log", Join: []string{"localhost:" + port, "localhost:" + ownPort}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.list.Shutdown() //nolint:errcheck // it has run nothing
	if tried, answered := b.rejoin(context.Background()); tried != 1 || answered != 1 {
		t.Fatalf("at first %d tried, %d answered; want the other alone", tried, answered)
	}
	if !slices.ContainsFunc(b.known(), func(n node) bool { return n.addr == a.Self().Gossip }) {
		t.Fatalf("it knows %+v", b.known())
	}
	if tried, _ := b.rejoin(context.Background()); tried != 0 {
		t.Errorf("%d members are joined again", tried)
	}
}
