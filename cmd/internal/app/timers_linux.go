package app

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// TimerSlack is by how much the kernel may let a server's timers be late, in
// nanoseconds. Heartbeats and probes count in hundreds of milliseconds; replies
// wait for no timer.
const TimerSlack = 5_000_000

// RelaxTimers starts the program again, in this process, with TimerSlack for
// all its threads, if they have less. Call it before anything else was opened.
//
// The Go runtime's monitor thread looks every 20 us for a millisecond after each
// time the process was idle; so does a shard that serves a message now and
// then, four of which on one machine spent a fifth of their processor time on
// waking up for it. The kernel's default slack, 50 us, is all that slows it. A
// thread's slack is inherited from its maker and kept by exec (prctl(2)), and
// the monitor is there before main is: it takes a second exec to reach it. A
// supervisor that sets the slack itself (systemd: TimerSlackNSec) saves that.
func RelaxTimers() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slack >= TimerSlack {
		return
	}
	program, err := os.Readlink("/proc/self/exe") // its own name, for ps
	if err != nil || !filepath.IsAbs(program) {
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, TimerSlack, 0, 0, 0) != nil {
		return
	}
	syscall.Exec(program, os.Args, os.Environ())                //nolint:errcheck // if it fails, this program goes on as it is
	unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0) //nolint:errcheck // as above
}
