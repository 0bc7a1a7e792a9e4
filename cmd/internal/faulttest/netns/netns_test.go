package netns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	logPort    = 4222
	gossipPort = 7946
)

// newNetwork is a network of machines that answer on both ports, by TCP and UDP.
func newNetwork(t *testing.T, names ...string) (*Network, []*Machine) {
	t.Helper()
	n, err := New()
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	var machines []*Machine
	for _, name := range names {
		m, err := n.Machine(name)
		if err != nil {
			t.Fatal(err)
		}
		machines = append(machines, m)
		for _, port := range []int{logPort, gossipPort} {
			if err := m.Do(func() error { return serve(t, m.Addr(), port) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n, machines
}

// serve sends back what it is sent.
func serve(t *testing.T, addr string, port int) error {
	at := net.JoinHostPort(addr, strconv.Itoa(port))
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // nothing is lost
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c) //nolint:errcheck // the other side sees it
				c.Close()     //nolint:errcheck // nothing is lost
			}()
		}
	}()
	p, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	t.Cleanup(func() { p.Close() }) //nolint:errcheck // nothing is lost
	go func() {
		b := make([]byte, 100)
		for {
			size, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(b[:size], from) //nolint:errcheck // it may be lost anyhow
		}
	}()
	return nil
}

// answers tells whether a word from a place is answered within 300 ms.
func answers(t *testing.T, from func(func() error) error, network, addr string, port int) bool {
	t.Helper()
	var got string
	err := from(func() error {
		c, err := net.DialTimeout(network, net.JoinHostPort(addr, strconv.Itoa(port)), 300*time.Millisecond)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(300 * time.Millisecond)) //nolint:errcheck // a fresh socket
		if _, err := io.WriteString(c, "word"); err != nil {
			return err
		}
		b := make([]byte, 4)
		_, err = io.ReadFull(c, b)
		got = string(b)
		return err
	})
	var timeout net.Error
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		t.Fatalf("%s to %s:%d: %v; a packet that is dropped is nobody's error", network, addr, port, err)
	}
	return got == "word"
}

func here(f func() error) error { return f() }

func TestFaultsStopWhatTheySay(t *testing.T) {
	n, m := newNetwork(t, "a", "b", "c")
	a, b, c := m[0], m[1], m[2]
	type way struct {
		network string
		from    *Machine // nil: the test's own process
		to      *Machine
		port    int
	}
	var all []way
	for _, network := range []string{"tcp", "udp"} {
		for _, from := range []*Machine{nil, a, b, c} {
			for _, to := range m {
				if from != to {
					all = append(all, way{network, from, to, logPort}, way{network, from, to, gossipPort})
				}
			}
		}
	}
	cut := func(c Cut) func() (func() error, error) {
		return func() (func() error, error) { return n.Cut(c) }
	}
	between := func(w way, x, y *Machine) bool { return w.from == x && w.to == y || w.from == y && w.to == x }
	for _, test := range []struct {
		name string
		do   func() (func() error, error)
		gone func(way) bool
	}{
		{"nothing", func() (func() error, error) { return n.Heal, nil }, func(way) bool { return false }},
		{"one machine off the bridge", func() (func() error, error) {
			return func() error { return n.Rejoin(a) }, n.Isolate(a)
		}, func(w way) bool { return w.from == a || w.to == a }},
		{"halves", cut(Cut{From: []string{a.Addr()}, To: []string{b.Addr(), c.Addr()}, Both: true}),
			func(w way) bool { return between(w, a, b) || between(w, a, c) }},
		// A question and its answer need both directions, so a one-way cut costs
		// both ends theirs; what is dropped is shown below.
		{"one way", cut(Cut{From: []string{a.Addr()}, To: []string{b.Addr()}}), func(w way) bool { return between(w, a, b) }},
		{"one port", cut(Cut{From: []string{a.Addr()}, To: []string{b.Addr()}, Both: true, Ports: []int{logPort}}),
			func(w way) bool { return between(w, a, b) && w.port == logPort }},
		{"two ports", cut(Cut{From: []string{a.Addr()}, To: []string{b.Addr()}, Both: true, Ports: []int{logPort, gossipPort}}),
			func(w way) bool { return between(w, a, b) }},
		{"from the test's process", cut(Cut{From: []string{n.Host()}, To: []string{c.Addr()}}), func(w way) bool { return w.from == nil && w.to == c }},
		{"all of UDP", func() (func() error, error) { return n.LoseUDP(100) },
			func(w way) bool { return w.network == "udp" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			heal, err := test.do()
			if err != nil {
				t.Fatal(err)
			}
			wrong := make(chan string, len(all))
			for _, w := range all {
				go func() {
					from, name := here, "here"
					if w.from != nil {
						from, name = w.from.Do, w.from.Name
					}
					if got, want := answers(t, from, w.network, w.to.Addr(), w.port), !test.gone(w); got != want {
						wrong <- fmt.Sprintf("%s from %s to %s:%d: answered %t, want %t", w.network, name, w.to.Name, w.port, got, want)
						return
					}
					wrong <- ""
				}()
			}
			for range all {
				if s := <-wrong; s != "" {
					t.Error(s)
				}
			}
			if err := heal(); err != nil {
				t.Fatal(err)
			}
			for _, to := range m {
				for _, network := range []string{"tcp", "udp"} {
					if !answers(t, here, network, to.Addr(), logPort) {
						t.Errorf("%s to %s does not pass after the heal", network, to.Name)
					}
				}
			}
		})
	}
}

// TestOneWayCutLetsTheOtherWayPass sends single packets, which need no answer.
func TestOneWayCutLetsTheOtherWayPass(t *testing.T) {
	n, m := newNetwork(t, "a", "b")
	socket := func(m *Machine) net.PacketConn {
		var p net.PacketConn
		err := m.Do(func() (err error) {
			p, err = net.ListenPacket("udp", m.Addr()+":9000")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() }) //nolint:errcheck // nothing is lost
		return p
	}
	a, b := socket(m[0]), socket(m[1])
	if _, err := n.Cut(Cut{From: []string{m[0].Addr()}, To: []string{m[1].Addr()}}); err != nil {
		t.Fatal(err)
	}
	passes := func(from, to net.PacketConn) bool {
		if _, err := from.WriteTo([]byte("word"), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		to.SetReadDeadline(time.Now().Add(300 * time.Millisecond)) //nolint:errcheck // a fresh socket
		_, _, err := to.ReadFrom(make([]byte, 10))
		return err == nil
	}
	if !passes(b, a) {
		t.Error("b to a does not pass")
	}
	if passes(a, b) {
		t.Error("a to b passes")
	}
}

func TestUDPIsLostAtRandom(t *testing.T) {
	n, m := newNetwork(t, "a")
	for _, percent := range []int{5, 20} {
		if _, err := n.LoseUDP(percent); err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.Dial("udp", net.JoinHostPort(m[0].Addr(), strconv.Itoa(logPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sent = 1000
	got := 0
	b := make([]byte, 10)
	for range sent { // one at a time, so that no buffer is full
		if _, err := c.Write([]byte("word")); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)) //nolint:errcheck // a fresh socket
		if _, err := c.Read(b); err == nil {
			got++
		}
	}
	// There and back again: 0.8 * 0.8.
	t.Logf("%d of %d answered", got, sent)
	if got < 540 || got > 740 {
		t.Errorf("want about 640")
	}
}

func TestSlowLinkCarriesItsRate(t *testing.T) {
	n, m := newNetwork(t, "a")
	took := func(size int) time.Duration {
		c, err := net.Dial("tcp", net.JoinHostPort(m[0].Addr(), strconv.Itoa(logPort)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // a fresh socket
		start := time.Now()
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	if err := n.Slow(m[0], 64<<10); err != nil {
		t.Fatal(err)
	}
	slow := took(96 << 10)
	if err := n.Slow(m[0], 0); err != nil {
		t.Fatal(err)
	}
	fast := took(96 << 10)
	t.Logf("96 KiB there and back: %s, healed %s", slow, fast)
	if slow < time.Second || slow > 8*time.Second {
		t.Error("64 KiB/s would take 1.5 s or somewhat more")
	}
	if fast > time.Second {
		t.Error("it is slow after the heal")
	}
}

func TestHealEndsAllAndCloseLeavesNothing(t *testing.T) {
	n, m := newNetwork(t, "a", "b")
	if _, err := n.Cut(Cut{From: []string{n.Host()}, To: []string{m[0].Addr()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.LoseUDP(100); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{n.Isolate(m[1]), n.Slow(m[0], 64<<10), n.Heal()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range m {
		if !answers(t, here, "udp", to.Addr(), logPort) {
			t.Errorf("%s does not answer", to.Name)
		}
	}
	cmd := exec.Command("cat", "/proc/net/fib_trie")
	var out strings.Builder
	cmd.Stdout = &out
	if err := errors.Join(m[0].Start(cmd), cmd.Wait()); err != nil || !strings.Contains(out.String(), m[0].Addr()) {
		t.Errorf("a process does not run on its machine: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if strings.HasPrefix(a.String(), n.Host()+"/") {
			t.Errorf("%s is still there", a)
		}
	}
}
