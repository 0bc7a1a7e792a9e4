package membership

import (
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is a Cluster as the gossip library calls it: it holds its lock then, or
// is on its receive path, so no method blocks for longer than a rebuild. They mark
// that something changed.
type delegate struct{ *Cluster }

// NodeMeta is called by the gossip library.
func (d delegate) NodeMeta(int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self.encode()
}

// NotifyMsg is called by the gossip library; we send no messages of our own.
func (d delegate) NotifyMsg([]byte) {}

// GetBroadcasts is called by the gossip library.
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState is called by the gossip library.
func (d delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState is called by the gossip library.
func (d delegate) MergeRemoteState([]byte, bool) {}

// NotifyJoin is called by the gossip library.
func (d delegate) NotifyJoin(n *memberlist.Node) {
	d.nodesMu.Lock()
	d.nodes[n.Name] = node{n.Address(), slices.Clone(n.Meta)}
	d.nodesMu.Unlock()
	d.mark()
}

// NotifyUpdate is called by the gossip library.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.NotifyJoin(n) }

// NotifyLeave is called by the gossip library for the dead and the left alike.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	d.nodesMu.Lock()
	delete(d.nodes, n.Name)
	d.nodesMu.Unlock()
	d.mu.Lock()
	d.lost[n.Address()] = time.Now()
	d.mu.Unlock()
	d.mark()
}

// NotifyMerge refuses to join a cluster that does not fit.
func (d delegate) NotifyMerge(nodes []*memberlist.Node) error {
	for _, n := range nodes {
		if err := d.fits(n); err != nil {
			select {
			case <-d.ready: // we serve already: the newcomer is refused, we stay
				d.warnOnce(err.Error(), "kept apart from a member that does not fit", "err", err)
			default:
				d.mu.Lock()
				d.refusal = err
				d.mu.Unlock()
			}
			return err
		}
	}
	return nil
}

// NotifyAlive keeps members out that do not fit.
func (d delegate) NotifyAlive(n *memberlist.Node) error { return d.fits(n) }

func (c *Cluster) fits(n *memberlist.Node) error {
	other, err := parseMeta(n.Meta)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.compatible(other)
}
