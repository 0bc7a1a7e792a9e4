package netns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Cut is packets that do not arrive: those from an address in From to one in
// To. Nobody is told; connections hang.
type Cut struct {
	From, To []string // addresses of machines, or Host
	Both     bool     // those from To to From neither
	Ports    []int    // only TCP and UDP of which one end has one of these ports; empty: everything
}

// Isolate takes the machine's cable off the bridge: a black hole in both
// directions, for the test's own process too.
func (n *Network) Isolate(m *Machine) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.off = true
	return n.inHub("ip", "", "link", "set", m.port, "nomaster")
}

// Rejoin puts it back.
func (n *Network) Rejoin(m *Machine) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rejoin(m)
}

func (n *Network) rejoin(m *Machine) error {
	m.off = false
	return n.inHub("ip", "", "link", "set", m.port, "master", "hub")
}

// Cut drops packets until the function that it answers is called.
func (n *Network) Cut(c Cut) (heal func() error, err error) {
	if len(c.From) == 0 || len(c.To) == 0 {
		return nil, errors.New("a cut has two sides")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	cut := &c
	n.cuts = append(n.cuts, cut)
	heal = func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.cuts = slices.DeleteFunc(n.cuts, func(o *Cut) bool { return o == cut })
		return n.apply()
	}
	return heal, n.apply()
}

// LoseUDP drops that many of 100 UDP packets at random, everywhere, until the
// function that it answers is called; TCP is untouched. Of several such faults
// the greatest counts.
func (n *Network) LoseUDP(percent int) (heal func() error, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	loss := &percent
	n.losses = append(n.losses, loss)
	heal = func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.losses = slices.DeleteFunc(n.losses, func(o *int) bool { return o == loss })
		return n.apply()
	}
	return heal, n.apply()
}

// Slow lets the machine's cable carry that many bytes a second in each
// direction, and queue 400 ms of them; 0 ends it.
func (n *Network) Slow(m *Machine, rate int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.slow(m, rate)
}

func (n *Network) slow(m *Machine, rate int) error {
	args := func(dev string) []string {
		if rate == 0 {
			return []string{"qdisc", "del", "dev", dev, "root"}
		}
		return []string{"qdisc", "replace", "dev", dev, "root", "tbf", "rate", fmt.Sprint(8*rate, "bit"), "burst", "4kb", "latency", "400ms"}
	}
	if rate == 0 && !m.slow {
		return nil
	}
	m.slow = rate != 0
	return errors.Join(m.run("tc", "", args("eth0")...), n.inHub("tc", "", args(m.port)...))
}

// Heal ends all faults.
func (n *Network) Heal() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts, n.losses = nil, nil
	errs := []error{n.apply()}
	for _, m := range n.machines {
		errs = append(errs, n.slow(m, 0))
		if m.off {
			errs = append(errs, n.rejoin(m))
		}
	}
	return errors.Join(errs...)
}

// apply gives the bridge its rules afresh, in one step. n.mu is held, or n is new.
func (n *Network) apply() error { return n.inHub("nft", n.rules(), "-f", "-") }

func (n *Network) rules() string {
	var b strings.Builder
	b.WriteString("table bridge px\ndelete table bridge px\ntable bridge px {\n\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n")
	loss := 0
	for _, l := range n.losses {
		loss = max(loss, *l)
	}
	if loss > 0 {
		fmt.Fprintf(&b, "\t\tip protocol udp numgen random mod 100 <= %d drop\n", loss-1)
	}
	for _, c := range n.cuts {
		c.rules(&b, c.From, c.To)
		if c.Both {
			c.rules(&b, c.To, c.From)
		}
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

func (c *Cut) rules(b *strings.Builder, from, to []string) {
	pair := fmt.Sprintf("\t\tip saddr { %s } ip daddr { %s }", strings.Join(from, ", "), strings.Join(to, ", "))
	if len(c.Ports) == 0 {
		fmt.Fprintln(b, pair, "drop")
		return
	}
	ports := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Ports), " ", ", "), "[]")
	for _, end := range []string{"sport", "dport"} {
		fmt.Fprintf(b, "%s meta l4proto { tcp, udp } th %s { %s } drop\n", pair, end, ports)
	}
}
