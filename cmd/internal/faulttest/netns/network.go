package netns

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// ErrUnavailable says that this machine or this user cannot have such a
// network; the error around it says why.
var ErrUnavailable = errors.New("no network of namespaces here")

// Network is a bridge with a cable to each of its machines and one to the
// test's own process. Its methods may be called from several goroutines.
type Network struct {
	hub    namespace
	subnet netip.Prefix
	claim  net.Listener // the subnet is ours while it stands
	wired  bool         // the host's cable is there

	mu       sync.Mutex
	machines []*Machine
	cuts     []*Cut
	losses   []*int // of 100 UDP packets
}

// Machine is a namespace with one cable to the bridge.
type Machine struct {
	Name string

	space namespace
	addr  netip.Addr
	port  string // the cable's end at the bridge
	off   bool   // that end is off the bridge
	slow  bool
}

// New makes a network without machines.
func New() (*Network, error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: it needs root", ErrUnavailable)
	}
	for _, tool := range []string{"ip", "nft", "tc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %s is not installed", ErrUnavailable, tool)
		}
	}
	hub, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	n := &Network{hub: hub}
	if err := n.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), n.Close())
	}
	return n, nil
}

// build makes the bridge and the cable of the test's own process.
func (n *Network) build() error {
	var err error
	if n.subnet, n.claim, err = claimSubnet(); err != nil {
		return err
	}
	if err := n.inHub("ip", "link add hub type bridge\nlink set hub up\n", "-batch", "-"); err != nil {
		return err
	}
	third := n.subnet.Addr().As4()[2]
	cable := fmt.Sprintf("px%d-%d", os.Getpid(), third) // at most 15 bytes
	err = run("ip", fmt.Sprintf("link add %[1]s type veth peer name host netns %[2]s\naddr add %[3]s/24 dev %[1]s\nlink set %[1]s up\n",
		cable, n.hub.path(), n.Host()), "-batch", "-")
	if err != nil {
		return err
	}
	n.wired = true
	if err := n.inHub("ip", "link set host master hub up\n", "-batch", "-"); err != nil {
		return err
	}
	return n.apply() // a kernel that cannot filter says so now
}

// claimSubnet takes 256 addresses that no interface here and no other test has.
func claimSubnet() (netip.Prefix, net.Listener, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Prefix{}, nil, err
	}
	for i := range 4096 {
		at := (os.Getpid() + i) % 4096
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(200 + at>>8), byte(at), 0}), 24)
		used := false
		for _, a := range addrs {
			other, err := netip.ParsePrefix(a.String())
			used = used || err == nil && other.Overlaps(subnet)
		}
		if used {
			continue
		}
		// An abstract socket: one process has it, and it ends with that process.
		if claim, err := net.Listen("unix", "@px-netns-"+subnet.String()); err == nil {
			return subnet, claim, nil
		}
	}
	return netip.Prefix{}, nil, errors.New("all subnets are taken")
}

// Host is the address of the test's own process, as machines see it.
func (n *Network) Host() string {
	a := n.subnet.Addr().As4()
	a[3] = 254
	return netip.AddrFrom4(a).String()
}

// Machine adds a machine.
func (n *Network) Machine(name string) (*Machine, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.subnet.Addr().As4()
	a[3] = byte(len(n.machines) + 1)
	if a[3] >= 254 {
		return nil, errors.New("a network has at most 253 machines")
	}
	space, err := newNamespace()
	if err != nil {
		return nil, err
	}
	m := &Machine{Name: name, space: space, addr: netip.AddrFrom4(a), port: fmt.Sprintf("port%d", a[3])}
	n.machines = append(n.machines, m)
	err = m.run("ip", fmt.Sprintf("link add eth0 type veth peer name %s netns %s\naddr add %s/24 dev eth0\nlink set lo up\nlink set eth0 up\n",
		m.port, n.hub.path(), m.addr), "-batch", "-")
	if err != nil {
		return nil, err
	}
	return m, n.inHub("ip", fmt.Sprintf("link set %s master hub up\n", m.port), "-batch", "-")
}

// Close removes all of it; a second one does nothing. Processes on the machines should have ended: those
// that have not keep their namespace, without a cable.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	if n.claim != nil {
		// The kernel takes a namespace down some time after its last descriptor
		// was closed; the host's cable should be gone when Close returns.
		if n.wired {
			errs = append(errs, n.inHub("ip", "", "link", "del", "host"))
		}
		errs = append(errs, n.claim.Close())
	}
	for _, m := range n.machines {
		errs = append(errs, m.space.close())
	}
	errs = append(errs, n.hub.close())
	n.machines, n.claim, n.wired, n.hub = nil, nil, false, namespace{}
	return errors.Join(errs...)
}

// Addr is the machine's address.
func (m *Machine) Addr() string { return m.addr.String() }

// Start starts a process on the machine.
func (m *Machine) Start(cmd *exec.Cmd) error { return m.space.do(cmd.Start) }

// Do runs f on a thread that is on the machine: sockets that f itself opens
// are there. Goroutines that f starts are not.
func (m *Machine) Do(f func() error) error { return m.space.do(f) }

func (m *Machine) run(tool, input string, args ...string) error {
	return m.space.do(func() error { return run(tool, input, args...) })
}

func (n *Network) inHub(tool, input string, args ...string) error {
	return n.hub.do(func() error { return run(tool, input, args...) })
}

// run runs a tool to its end and quotes what it said if it failed.
func run(tool, input string, args ...string) error {
	cmd := exec.Command(tool, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
