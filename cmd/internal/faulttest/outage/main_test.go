package outage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// failing is px with its failpoints, built once.
var failing string

func TestMain(m *testing.M) {
	natstest.Main()
	dir, err := os.MkdirTemp("", "px-outage-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failing = filepath.Join(dir, "px")
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", failing, "positivity-exchange/cmd/px")
	build.Stderr = os.Stderr
	err = build.Run()
	code := 1
	if err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	os.Exit(code)
}
