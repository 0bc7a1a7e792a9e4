package membership

import (
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// The methods below are memberlist's callbacks. They hold its lock or run on
// its receive path, so none blocks for longer than a rebuild: they mark that something changed.

// NodeMeta is called by the gossip library.
func (c *Cluster) NodeMeta(int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.encode()
}

// NotifyMsg is called by the gossip library; we send no messages of our own.
func (c *Cluster) NotifyMsg([]byte) {}

// GetBroadcasts is called by the gossip library.
func (c *Cluster) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState is called by the gossip library.
func (c *Cluster) LocalState(bool) []byte { return nil }

// MergeRemoteState is called by the gossip library.
func (c *Cluster) MergeRemoteState([]byte, bool) {}

// NotifyJoin is called by the gossip library.
func (c *Cluster) NotifyJoin(n *memberlist.Node) {
	c.nodesMu.Lock()
	c.nodes[n.Name] = node{n.Address(), slices.Clone(n.Meta)}
	c.nodesMu.Unlock()
	c.mark()
}

// NotifyUpdate is called by the gossip library.
func (c *Cluster) NotifyUpdate(n *memberlist.Node) { c.NotifyJoin(n) }

// NotifyLeave is called by the gossip library for the dead and the left alike.
func (c *Cluster) NotifyLeave(n *memberlist.Node) {
	c.nodesMu.Lock()
	delete(c.nodes, n.Name)
	c.nodesMu.Unlock()
	c.mu.Lock()
	c.lost[n.Address()] = time.Now()
	c.mu.Unlock()
	c.mark()
}

// NotifyMerge refuses to join a cluster that does not fit.
func (c *Cluster) NotifyMerge(nodes []*memberlist.Node) error {
	for _, n := range nodes {
		if err := c.fits(n); err != nil {
			select {
			case <-c.ready: // we serve already: the newcomer is refused, we stay
				c.warnOnce(err.Error(), "kept apart from a member that does not fit", "err", err)
			default:
				c.mu.Lock()
				c.refusal = err
				c.mu.Unlock()
			}
			return err
		}
	}
	return nil
}

// NotifyAlive keeps members out that do not fit.
func (c *Cluster) NotifyAlive(n *memberlist.Node) error { return c.fits(n) }

func (c *Cluster) fits(n *memberlist.Node) error {
	other, err := parseMeta(n.Meta)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self.compatible(other)
}
