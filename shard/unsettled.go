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
	waits atomic.Bool // the session's reader waits, or did: so that others need no lock to see that it does not

	mu   sync.Mutex    // below a part's mu
	less chan struct{} // closed when there are most at most; nil if nobody waits
	most int64
}

func (u *unsettled) full() bool { return u.bytes.Load() > maxUnsettled }

// add counts n more, or less.
func (u *unsettled) add(n int64) {
	u.bytes.Add(n)
	if n > 0 || !u.waits.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.less != nil && u.bytes.Load() <= u.most {
		close(u.less)
		u.less = nil
	}
}

// wait returns once there are so many bytes at most, or ctx ends. The session's
// reader alone waits; somebody else has to commit.
func (u *unsettled) wait(ctx context.Context, most int64) error {
	u.waits.Store(true) // before the count is read: who counts does it the other way round
	defer u.waits.Store(false)
	for {
		u.mu.Lock()
		if u.bytes.Load() <= most {
			u.mu.Unlock()
			return ctx.Err()
		}
		less := make(chan struct{})
		u.less, u.most = less, most
		u.mu.Unlock()
		select {
		case <-less:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle commits what is queued and writes the session its own copies.
func (s *session) settle() {
	if len(s.duties) > 0 {
		s.commitQueued()
		s.out.Flush()
	}
}

// lastWords has all that the session said answered, whoever commits it, before it
// leaves a room: its own copies come by the room, and who hears nothing of a
// message takes it for not stored. A log or a peer that stands still does not keep
// it for long.
func (s *session) lastWords() {
	for _, p := range s.duties {
		p.commitApart() // here it would take as long as the log does
	}
	clear(s.duties)
	s.duties = s.duties[:0]
	wait := holdWait
	if s.hurried {
		wait = 0 // it waited before, in vain: many rooms are not left one a second
	}
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	s.unsettled.wait(ctx, 0) //nolint:errcheck // it goes in any case
	s.hurried = s.out.Written(ctx) != nil || s.unsettled.bytes.Load() > 0
}
