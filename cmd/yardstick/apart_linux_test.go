package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestServersAreKeptApart from all threads of the load generator, which may start
// others beside itself.
func TestServersAreKeptApart(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil || all.Count() < 2 {
		t.Skipf("%d processors, %v", all.Count(), err)
	}
	if err := keepApart(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		servers = unix.CPUSet{}
		if err := bind(&all); err != nil {
			t.Error(err)
		}
	})
	script := []string{"-c", "echo ready; exec sleep 60"}
	server, err := startServer(t.Context(), nil, os.Stderr, "sh", script...)
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()
	load, err := start(t.Context(), os.Stderr, "sh", script...)
	if err != nil {
		t.Fatal(err)
	}
	defer load.stop()
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	for _, thread := range append(threads, strconv.Itoa(load.pid())) {
		id, err := strconv.Atoi(filepath.Base(thread))
		if err != nil {
			t.Fatal(err)
		}
		mine, its := affinity(t, id), affinity(t, server.pid())
		for cpu := range 64 * len(all) {
			if all.IsSet(cpu) && mine.IsSet(cpu) == its.IsSet(cpu) {
				t.Errorf("%s: processor %d is both's, or nobody's", thread, cpu)
			}
		}
	}
}

func affinity(t *testing.T, id int) (set unix.CPUSet) {
	if err := unix.SchedGetaffinity(id, &set); err != nil {
		t.Fatal(err)
	}
	return set
}
