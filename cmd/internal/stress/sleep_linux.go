package stress

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepUntil sleeps by the kernel's clock: Go's timers are up to a millisecond
// late in an idle process, which would count as the server's latency.
func sleepUntil(t time.Time) {
	d := time.Until(t)
	if d <= 0 {
		return
	}
	ts := unix.NsecToTimespec(int64(d))
	unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) //nolint:errcheck // cut short by a signal: the caller looks again
}
