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
	os.Exit(run1(m))
}

func run1(m *testing.M) int {
	dir, err := os.MkdirTemp("", "px-fault-bin-")
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

func TestFast(t *testing.T) {
	seed := uint64(1)
	small := LoadOptions{Rooms: 8, HotWriters: 8, Every: 150 * time.Millisecond}
	t.Run("kill", func(t *testing.T) {
		Execute(t, Plan{Seed: seed, Binary: binary, Load: small, Phases: Each(seed, "kill", "drain", "join"), Replay: "go test ./cmd/internal/faulttest -run TestFast/kill"})
	})
}
