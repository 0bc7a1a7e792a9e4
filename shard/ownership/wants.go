package ownership

import "time"

// wish is a partition whose holder cannot be reached.
type wish struct{ since, until time.Time }

// want states at once, and in the heartbeats to come, that partition's holder
// cannot be reached.
func (c *Census) want(partition int) {
	now := time.Now()
	c.mu.Lock()
	w := c.wants[partition]
	stated := now.Before(w.until)
	if !stated {
		w.since = now
	}
	w.until = now.Add(wantedFor)
	c.wants[partition] = w
	c.mu.Unlock()
	if !stated {
		mark(c.hurry)
	}
}

// wanted tells whether partition is wanted, and for how long it has been.
func (c *Census) wanted(partition int) (since time.Duration, ok bool) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wants[partition]
	return now.Sub(w.since), now.Before(w.until)
}

// takeWant takes back that partition, which came to us, is wanted, and tells
// whether it was lately.
func (c *Census) takeWant(partition int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wants[partition]
	delete(c.wants, partition)
	return time.Now().Before(w.until)
}
