package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"positivity-exchange/cmd/internal/app"
)

// TestServersRelaxTheirTimers: all threads of a server, the runtime's own
// included, and under the program's name as ps shows it.
func TestServersRelaxTheirTimers(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"shard", "--name", "s1"},
		{"router", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"},
		{"up", "--no-client", "--shards", "1", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"},
	} {
		t.Run(args[0], func(t *testing.T) {
			p := start(t, append(args, "--data", filepath.Join(dir, args[0]))...)
			proc := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
			if comm, err := os.ReadFile(proc + "/comm"); err != nil || strings.TrimSpace(string(comm)) != filepath.Base(binary) {
				t.Errorf("the process is called %q (%v)", comm, err)
			}
			threads, err := filepath.Glob(proc + "/task/*")
			if err != nil || len(threads) == 0 {
				t.Fatalf("threads %v, %v", threads, err)
			}
			for _, thread := range threads {
				slack, err := os.ReadFile("/proc/" + filepath.Base(thread) + "/timerslack_ns")
				if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
					continue // the thread has ended
				}
				if errors.Is(err, syscall.EPERM) {
					t.Skip("only root may read another process's timer slack")
				}
				if n, parseErr := strconv.Atoi(strings.TrimSpace(string(slack))); err != nil || parseErr != nil || n < app.TimerSlack {
					t.Errorf("%s: slack %q (%v)", thread, slack, err)
				}
			}
		})
	}
}
