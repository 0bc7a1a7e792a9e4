package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// servers are the processors that servers are started on; none: any.
var servers unix.CPUSet

// keepApart has servers run on half of the processors, by number, and this
// program and what else it starts on the others. Where the kernel places two processes that wake
// each other changes from one run to the next, and their latency with it: a
// server that was put on the processor of those who read writes to all of them
// before the first one reads.
func keepApart() error {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("which processors there are: %w", err)
	}
	n := all.Count()
	if n < 2 {
		return errors.New("--apart takes two processors or more")
	}
	var own, rest unix.CPUSet
	for cpu, seen := 0, 0; seen < n; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if seen++; seen <= n/2 {
			own.Set(cpu)
		} else {
			rest.Set(cpu)
		}
	}
	if err := bind(&own); err != nil {
		return fmt.Errorf("keep to half of the processors: %w", err)
	}
	servers = rest
	return nil
}

// bind keeps all threads of this program to some processors. One that is made
// meanwhile has those of its maker: until there is none that was not bound.
func bind(to *unix.CPUSet) error {
	var bound []string
	for {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		before := len(bound)
		for _, t := range threads {
			if slices.Contains(bound, t.Name()) {
				continue
			}
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, to); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			bound = append(bound, t.Name())
		}
		if len(bound) == before {
			return nil
		}
	}
}

// onServers calls start, whose process begins where servers are kept.
func onServers(start func()) error {
	if servers.Count() == 0 {
		start()
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, &servers); err != nil {
		return fmt.Errorf("start on the servers' processors: %w", err)
	}
	start()
	return unix.SchedSetaffinity(0, &own)
}
