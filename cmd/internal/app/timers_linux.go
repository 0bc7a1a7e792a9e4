package app

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// TimerSlack is by how much the kernel may let a server's timers be late, in
// nanoseconds. Its own timers, heartbeats and probes, count in hundreds of
// milliseconds. With 5 ms a little more is saved, but on one processor and with
// --sync full messages took 1.3 times as long, with 1 ms 1.1 times.
const TimerSlack = 1_000_000

// relaxedOnce marks in the environment that this program was started again.
const relaxedOnce = "PX_TIMERS_RELAXED"

// RelaxTimers starts the program again, in this process, with TimerSlack for
// all its threads, if they have less. Call it before anything else was opened.
//
// After each time that a process was idle, the Go runtime's monitor thread looks
// around every 20 us for a millisecond, and nothing slows it but the kernel's
// slack, 50 us by default. A shard that serves a message now and then is idle in
// between: four of them on one machine spent a fifth of their processor time on
// these wake-ups. The price: a processor whose goroutine is in a slow system
// call, such as an fsync, is given to others up to TimerSlack later.
//
// A thread's slack is inherited from its maker and kept by exec (prctl(2)), and
// the monitor is there before main is: it takes a second exec to reach it. A
// supervisor that sets the slack (systemd: TimerSlackNSec) saves that.
func RelaxTimers() {
	again := os.Getenv(relaxedOnce) != ""
	os.Unsetenv(relaxedOnce) //nolint:errcheck // it is a valid name
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if again || err != nil || before >= TimerSlack {
		return
	}
	program, err := exec.LookPath(os.Args[0])
	if err != nil || !isThis(program) {
		return
	}
	// It has no effect, and no error, for threads that are scheduled in real time.
	unix.Prctl(unix.PR_SET_TIMERSLACK, TimerSlack, 0, 0, 0) //nolint:errcheck // it is read again
	if now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil && now >= TimerSlack {
		syscall.Exec(program, os.Args, append(os.Environ(), relaxedOnce+"=1")) //nolint:errcheck // if it fails, this program goes on as it is
	}
	unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0) //nolint:errcheck // as above
}

// isThis tells whether a file is the program that runs.
func isThis(file string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat("/proc/self/exe")
	return err == nil && os.SameFile(a, b)
}
