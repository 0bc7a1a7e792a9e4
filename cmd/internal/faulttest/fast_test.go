package faulttest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// binary is px with its failpoints, built once without the race detector.
var binary string

func TestMain(m *testing.M) {
	natstest.Main()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "px-faulttest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if binary, err = Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// small is a load that leaves two processors some room.
var small = LoadOptions{Rooms: 8, HotWriters: 8, Every: 150 * time.Millisecond}

// fast runs the named nemeses one after another in one cluster.
func fast(t *testing.T, plan Plan, nemeses ...string) {
	t.Helper()
	if plan.Load == (LoadOptions{}) {
		plan.Load = small
	}
	plan.Between = 2 * time.Second
	plan.NoFigures = raceEnabled // it slows the writers, not the cluster
	plan.Binary, plan.Phases = binary, Each(plan.Seed, nemeses...)
	plan.Replay = fmt.Sprintf("PX_FAULTS=1 go test ./cmd/internal/faulttest -run %s -v", t.Name())
	Execute(t, plan)
}

// brief tells to strike three times only. Beside other packages' tests the whole
// tier takes the processors from them, and they from it: it comes where asked
// for, as .ci/run does.
func brief() bool { return testing.Short() || os.Getenv("PX_FAULTS") == "" }

// few is a load beside which a machine has something left for networks and disks.
var few = LoadOptions{Rooms: 6, HotWriters: 6, Every: 150 * time.Millisecond}

// TestFast lets every nemesis strike once, with fixed seeds. Those that need
// more than this machine or user has say so. With -parallel 3 it is less than
// three minutes' work for two processors.
func TestFast(t *testing.T) {
	t.Run("beside", func(t *testing.T) {
		t.Run("kills", func(t *testing.T) {
			t.Parallel()
			kills := []string{"kill", "kill-before", "kill-inside", "kill-after", "kill-acquiring", "kill-releasing", "kill-again", "kill-two", "restart", "restart-there"}
			if brief() {
				kills = kills[:3]
			}
			fast(t, Plan{Seed: 1}, kills...)
		})
		if brief() {
			return
		}
		// The longest first.
		t.Run("zombies", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 2}, "zombie", "zombie-before", "zombie-inside", "zombie-acquiring", "zombie-releasing", "zombie-quiet", "restart-frozen")
		})
		t.Run("nats", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 4, NATS: 3}, "drain", "kill-before", "zombie-before", "nats", "nats-and-shard")
		})
		t.Run("moves", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 8}, "rolling", "join", "twin")
		})
		t.Run("disk", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 6, Load: few, Cluster: Options{Site: newSite(t), DiskSize: diskSize}}, "disk-full", "disk-stall", "alone", "gossip-cut")
		})
		t.Run("log", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 7, Load: few, NATS: 1, Cluster: Options{Site: newSite(t)}}, "log-cut", "slow-link", "slow-log", "swizzle")
		})
		t.Run("up", func(t *testing.T) {
			t.Parallel()
			fast(t, Plan{Seed: 5, FewestMoves: -1, Cluster: Options{Up: true}}, "suspend")
		})
	})
	if brief() {
		return
	}
	// These ask whether a moment's silence is taken for a death: no other
	// cluster's load may be what makes it one.
	t.Run("calm", func(t *testing.T) {
		plan := Plan{Seed: 3}
		if site, err := NewSite(); err == nil {
			plan.Cluster.Site = site
		}
		fast(t, plan, "stops", "slow", "loss-20", "router", "routers", "drain")
	})
}
