package ownership

import (
	"math"
	"time"
)

// moment is an instant of this process's life by both of its clocks. What came
// first, and for how long another was silent, is told by the monotonic one
// alone: people and NTP set the other one, back too. But it stands still while
// the machine is suspended, and meanwhile others depose us; see Census.since.
type moment struct {
	at   time.Time // with its monotonic reading
	wall int64     // Unix nanoseconds
}

// wallOf is what the wall clock said at t.
func wallOf(t time.Time) int64 { return t.UnixNano() }

func (c *Census) now() moment {
	t := time.Now()
	return moment{t, c.wall(t)}
}

// ran is m in monotonic nanoseconds since the Census was made, to be compared
// with others of its own.
func (c *Census) ran(m moment) int64 { return int64(m.at.Sub(c.began)) }

// since is how long ago m was, by the clock that says more: the wall clock knows
// of a suspended machine, the monotonic one is not set back. A clock set ahead
// looks like a suspension, which costs one reading of the records.
func (c *Census) since(m moment) time.Duration {
	now := c.now()
	return max(now.at.Sub(m.at), time.Duration(now.wall-m.wall))
}

// sinceBeat is how long ago the last successful heartbeat began; for ever if
// there was none.
func (c *Census) sinceBeat() time.Duration {
	if last := c.last.Load(); last != nil {
		return c.since(*last)
	}
	return math.MaxInt64
}
