package faulttest

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestChosen lets the nemeses that PX_FAULT_NEMESES names (separated by commas)
// come one after another, with the seed of PX_FAULT_SEED, on the log that
// PX_FAULT_LOG names (sqlite, or nats for three servers), with a network of its
// own if PX_FAULT_NETWORK is set. scripts/mutations puts defects before it.
func TestChosen(t *testing.T) {
	names := os.Getenv("PX_FAULT_NEMESES")
	if names == "" {
		t.Skip("PX_FAULT_NEMESES names the nemeses")
	}
	seed, err := strconv.ParseUint(os.Getenv("PX_FAULT_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	list := strings.Split(names, ",")
	for _, name := range list {
		if _, err := named(name); err != nil {
			t.Fatal(err)
		}
	}
	plan := Plan{
		Seed: seed, Binary: binary, Load: LoadOptions{Rooms: 8, HotWriters: 8, Every: 150 * time.Millisecond, Grace: 10 * time.Second},
		Phases: Each(seed, list...), FewestMoves: -1,
		Replay: "PX_FAULT_NEMESES=" + names + " go test ./cmd/internal/faulttest -run TestChosen -v",
	}
	if os.Getenv("PX_FAULT_LOG") == "nats" {
		plan.NATS = 3
	}
	if os.Getenv("PX_FAULT_NETWORK") != "" {
		plan.Cluster.Site, plan.Cluster.DiskSize = newSite(t), diskSize
	}
	Execute(t, plan)
}
