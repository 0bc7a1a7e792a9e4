package profile

import (
	"os"
	"strings"
	"testing"

	"positivity-exchange/client/state"
)

func TestPlaceIsTheClusters(t *testing.T) {
	home(t)
	place := func(want string, routers []string, cluster string) {
		t.Helper()
		if got := Place("ada", routers, cluster); got != want {
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

	// The address of one cluster leads to another one today: that one gets no
	// place of the first's at its own address.
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
