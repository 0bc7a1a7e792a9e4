package stress

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUsageIsWhatProcTells compares the process's clock with the ticks of
// /proc/PID/stat after some work.
func TestUsageIsWhatProcTells(t *testing.T) {
	before, err := UsageOf([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	// By the processor time it was given: on a busy machine that is less than passes.
	for start := ownCPU(t); ownCPU(t)-start < 100*time.Millisecond; {
	}
	after, err := UsageOf([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	used := after.minus(before)
	if used.CPU < 50*time.Millisecond || used.CPU > 5*time.Second || after.Memory < 1<<20 {
		t.Errorf("got %+v for a tenth of a second of work", used)
	}
	if all, err := busy(); err != nil || all < after.CPU {
		t.Errorf("the machine was busy for %s, less than this process: %v", all, err)
	}
	if _, err := UsageOf([]int{1 << 30}); err == nil {
		t.Error("a process that does not exist has used something")
	}
}

// ownCPU is what this process has used, as the system counts it by itself.
func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestListenerIsFound: this process, by the address at which it listens.
func TestListenerIsFound(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if got := Listeners([]string{addr, addr}); !slices.Equal(got, []int{os.Getpid()}) {
		t.Errorf("got %v, want %d", got, os.Getpid())
	}
	ln.Close() //nolint:errcheck // nothing was accepted
	if got := Listeners([]string{addr}); got != nil {
		t.Errorf("got %v for an address at which nobody listens", got)
	}
}

// TestDescriptorsNotToBeHad says how to get them. A process of its own, since
// the limit could not be raised again.
func TestDescriptorsNotToBeHad(t *testing.T) {
	if os.Getenv("STRESS_TEST_DESCRIPTORS") != "" {
		err := raiseDescriptors(1 << 40)
		if err == nil || !strings.Contains(err.Error(), "ulimit -n 1099511627776") {
			t.Fatalf("got %v", err)
		}
		if err := raiseDescriptors(16); err != nil {
			t.Fatal(err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDescriptorsNotToBeHad$")
	cmd.Env = append(os.Environ(), "STRESS_TEST_DESCRIPTORS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
