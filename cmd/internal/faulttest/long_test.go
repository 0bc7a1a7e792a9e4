package faulttest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// longDiskSize holds what the long tier writes.
const longDiskSize = 1 << 30

// TestLong runs the schedule of a seed under the acceptance test's load;
// scripts/faults asks for it, with PX_FAULT_SEED, PX_FAULT_LOG (sqlite or nats)
// and PX_FAULT_MINUTES.
func TestLong(t *testing.T) {
	text := os.Getenv("PX_FAULT_SEED")
	if text == "" {
		t.Skip("takes minutes: scripts/faults asks for it")
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("PX_FAULT_SEED: %v", err)
	}
	minutes, err := strconv.ParseFloat(os.Getenv("PX_FAULT_MINUTES"), 64)
	if err != nil || minutes <= 0 {
		t.Fatalf("PX_FAULT_MINUTES: %q is no number of minutes", os.Getenv("PX_FAULT_MINUTES"))
	}
	// Rooms must move in a run that is to show something, whatever is drawn.
	drawn := Draw(seed, Nemeses(), time.Duration(minutes*float64(time.Minute)))
	plan := Plan{Seed: seed, Binary: binary, Phases: append(Each(seed, "drain"), drawn...)}
	log := os.Getenv("PX_FAULT_LOG")
	switch log {
	case "sqlite":
	case "nats":
		plan.NATS = 3
	default:
		t.Fatalf("PX_FAULT_LOG: %q is neither sqlite nor nats", log)
	}
	// Networks and disks are harmed too where this user may have his own.
	if site, err := NewSite(); err == nil {
		plan.Cluster.Site, plan.Cluster.DiskSize = site, longDiskSize
	} else {
		t.Logf("no network and no disk is harmed: %v", err)
	}
	plan.Replay = fmt.Sprintf("scripts/faults --seed %d --log %s --minutes %v", seed, log, minutes)
	t.Logf("seed %d, log %s", seed, log)
	for i, phase := range plan.Phases {
		t.Logf("phase %d: %v", i+1, phase)
	}
	Execute(t, plan)
}
