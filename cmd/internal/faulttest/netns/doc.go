// Package netns puts processes of a fault test on a network of their own that
// can be cut, thinned and slowed: one network namespace per machine, each with
// a cable (a veth pair) to one bridge. The test's own process has a cable too,
// so it reaches every machine by its address and needs no namespace itself.
//
//	n, err := netns.New()          // errors.Is(err, netns.ErrUnavailable): skip
//	defer n.Close()
//	m, err := n.Machine("s1")
//	err = m.Start(exec.Command("px", "shard", "--listen", m.Addr()+":7000", ...))
//	heal, err := n.Cut(netns.Cut{From: ..., To: ..., Both: true, Ports: []int{7946}})
//
// Namespaces have no names: they live as long as a descriptor of the test's
// process or a process inside them does. With the bridge's namespace go all
// cables, the host's end included. So nothing stays behind when a test is
// killed, and two tests on one machine cannot meet; the subnet is claimed
// through an abstract socket, which ends with its process likewise.
//
// Packets are judged where they cross the bridge, by nft; all packets between
// two machines cross it. It knows nothing of what runs on the machines.
package netns
