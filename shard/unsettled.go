package shard

import (
	"context"
	"sync"
	"sync/atomic"
)

const (
	// maxUnsettled is from how many bytes of messages that wait for their commit
	// a session is not read any further. A log that does not answer for ten
	// seconds would otherwise have the shard keep all that a network brings.
	maxUnsettled = 256 << 10
	pendingSize  = 256 // about what one takes besides its text
)

// unsettled counts the bytes of a session's messages that wait for their commit.
type unsettled struct {
	bytes atomic.Int64

	mu   sync.Mutex    // below a part's mu
	less chan struct{} // closed when it is full no more; nil if nobody waits
}

func (u *unsettled) full() bool { return u.bytes.Load() > maxUnsettled }

// add counts n more, or less.
func (u *unsettled) add(n int64) {
	if now := u.bytes.Add(n); now > maxUnsettled || now-n <= maxUnsettled {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.less != nil {
		close(u.less)
		u.less = nil
	}
}

// wait returns once it is full no more, or ctx ends. Somebody else has to commit.
func (u *unsettled) wait(ctx context.Context) error {
	for {
		u.mu.Lock()
		if !u.full() {
			u.mu.Unlock()
			return ctx.Err()
		}
		if u.less == nil {
			u.less = make(chan struct{})
		}
		less := u.less
		u.mu.Unlock()
		select {
		case <-less:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
