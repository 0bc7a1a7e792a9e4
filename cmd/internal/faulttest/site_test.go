package faulttest

import (
	"errors"
	"testing"
	"time"

	"positivity-exchange/cmd/internal/faulttest/netns"
)

// newSite is ground of its own for a cluster, or the test is skipped.
func newSite(t *testing.T) *Site {
	t.Helper()
	s, err := NewSite()
	if errors.Is(err, netns.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// diskSize holds what the fast tier writes.
const diskSize = 96 << 20

// TestFastNetwork lets what networks and disks do strike once, with fixed seeds.
func TestFastNetwork(t *testing.T) {
	if brief() {
		t.Skip("a minute, with PX_FAULTS=1")
	}
	few := LoadOptions{Rooms: 6, HotWriters: 6, Every: 150 * time.Millisecond}
	t.Run("clusters", func(t *testing.T) {
		t.Run("files", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 6, Load: few, Cluster: Options{Site: newSite(t), DiskSize: diskSize}}, "loss-20", "alone", "gossip-cut", "disk-full", "disk-stall")
		})
		t.Run("nats", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 7, Load: few, NATS: 1, Cluster: Options{Site: newSite(t)}}, "log-cut", "slow-link", "slow-log", "swizzle")
		})
	})
}
