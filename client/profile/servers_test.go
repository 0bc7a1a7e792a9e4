package profile

import (
	"errors"
	"os"
	"strings"
	"testing"

	"positivity-exchange/client/state"
)

func TestPlaceIsTheClusters(t *testing.T) {
	home(t)
	place := func(want string, routers []string, cluster string) {
		t.Helper()
		got := LastPlace(routers) // before one has answered
		if cluster != "" {
			got = Place("ada", routers, cluster)
		}
		if got != want {
			t.Errorf("%v of %q: %q, want %q", routers, cluster, got, want)
		}
	}
	both := []string{"10.0.0.1:8080", "10.0.0.2:8080"}
	place("127.0.0.1:8080", []string{"localhost:8080"}, "")
	place("10.0.0.1:8080", both[:1], "")
	for range 2 {
		if err := SetPlace("10.0.0.1:8080", both[:1], "C"); err != nil {
			t.Fatal(err)
		}
	}
	place("10.0.0.1:8080", both, "")
	place("10.0.0.1:8080", []string{" 10.0.0.1:8080"}, "")
	place("10.0.0.2:8080", both[1:], "")
	place("10.0.0.2:8080", both[1:], "another")
	place("10.0.0.1:8080", both[1:], "C")
	if err := SetPlace("10.0.0.1:8080", both[1:], "C"); err != nil {
		t.Fatal(err)
	}
	place("10.0.0.1:8080", both[1:], "")
	place("10.0.0.3:8080", []string{"10.0.0.3:8080"}, "")

	// The address of one cluster leads to another one today, which gets nothing of
	// the first's.
	place("10.0.0.1:8080 another", both[:1], "another")
	if err := SetPlace("10.0.0.1:8080", []string{"10.0.0.1:8080", "10.1.0.1:8080", ""}, "another"); err != nil {
		t.Fatal(err)
	}
	place("10.1.0.2:8080", []string{"10.1.0.2:8080"}, "another")
	place("10.1.0.1:8080", []string{"10.1.0.1:8080"}, "")
	place("10.0.0.1:8080", both[:1], "C")

	// What was written under the routers' own name is not hidden by the cluster's.
	p, err := Open("ada@10.0.0.3:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	place("10.0.0.1:8080", []string{"10.0.0.3:8080"}, "C")
	if err := p.Save(state.Saved{Active: "go"}); err != nil {
		t.Fatal(err)
	}
	place("10.0.0.3:8080", []string{"10.0.0.3:8080"}, "C")
}

// TestAddressLeadsToAnotherCluster, and back: each has a place of its own, whoever
// comes, and the one that answered last is shown first.
func TestAddressLeadsToAnotherCluster(t *testing.T) {
	home(t)
	addr := []string{"localhost:8080"}
	visit := func(user, cluster, want string) {
		t.Helper()
		got := Place(user, addr, cluster)
		if got != want {
			t.Errorf("%s beside %q: %q, want %q", user, cluster, got, want)
		}
		p, err := Open(user + "@" + got)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close() //nolint:errcheck // only its lock
		if _, err := p.Load(); err != nil {
			t.Fatal(err)
		}
		p.Belong(cluster)
		if err := errors.Join(p.Save(state.Saved{Active: "go"}), SetPlace(got, addr, cluster)); err != nil {
			t.Fatal(err)
		}
		if last := LastPlace(addr); last != want {
			t.Errorf("then %q is shown first, want %q", last, want)
		}
	}
	const ofA, ofB, ofNone = "127.0.0.1:8080", "127.0.0.1:8080 B", "127.0.0.1:8080 unnamed"
	for range 2 {
		visit("ada", "A", ofA)
		visit("ada", "B", ofB)
		visit("zoe", "B", ofB)
		visit("ada", "", ofNone) // whose it is is not known: an earlier version's
		visit("zoe", "A", ofA)
		visit("zoe", "", ofNone)
	}

	// The profile itself tells whose it is, where the list of servers is lost.
	if err := os.Remove(serversPath()); err != nil {
		t.Fatal(err)
	}
	visit("ada", "B", ofB)
	visit("ada", "A", ofA)
}

// TestProfileOfAnEarlierVersion is the cluster's that its place was noted for, else
// the first's that answers there.
func TestProfileOfAnEarlierVersion(t *testing.T) {
	home(t)
	addr := []string{"127.0.0.1:8080"}
	p, err := Open("ada@127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Save(state.Saved{Active: "go"}), p.Close()); err != nil {
		t.Fatal(err)
	}
	if got := Place("ada", addr, "B"); got != addr[0] {
		t.Errorf("nobody's: %q", got)
	}
	if err := SetPlace(addr[0], addr, "A"); err != nil { // as that version did
		t.Fatal(err)
	}
	if got := Place("ada", addr, "B"); got != "127.0.0.1:8080 B" {
		t.Errorf("A's: B is at %q", got)
	}
	if got := Place("ada", addr, "A"); got != addr[0] {
		t.Errorf("A's: A is at %q", got)
	}
}

func TestServersThatCannotBeReadAreLeftAlone(t *testing.T) {
	home(t)
	if err := SetPlace("a:1", []string{"a:1"}, "C"); err != nil {
		t.Fatal(err)
	}
	broken := []byte("{\n \"places\": 3\n}")
	if err := os.WriteFile(serversPath(), broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Place("ada", []string{"b:1"}, "C"); got != "b:1" {
		t.Errorf("got %q", got)
	}
	if err := SetPlace("b:1", []string{"b:1"}, "C"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(serversPath()); err != nil || string(b) != string(broken) {
		t.Errorf("%s, %v", b, err)
	}
}
