package router

import (
	"context"
	"sync"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

const (
	maxUnsettled    = 256 << 10   // bytes of an ancestor's commands, from which on no more are read
	commandSize     = 1 << 10     // about what one takes besides its text
	lastWordsWithin = time.Second // the next of them is settled, or whoever goes does not wait for them
)

// unsettled counts the bytes of an ancestor's commands that are not settled: not
// carried out, or of a message, neither stored nor refused.
type unsettled struct {
	mu    sync.Mutex
	bytes int
	posts map[string]comms.SendMessage // by client id
	less  chan struct{}                // closed when something is settled; nil if nobody waits
}

func size(command comms.Command) int {
	if m, ok := command.(comms.SendMessage); ok {
		return commandSize + len(m.Content)
	}
	return commandSize
}

// add counts n more, or less.
func (u *unsettled) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addLocked(n)
}

func (u *unsettled) addLocked(n int) {
	u.bytes += n
	if n < 0 && u.less != nil {
		close(u.less)
		u.less = nil
	}
}

// post posts a message, which was counted before. The lock is held meanwhile, for
// which the session does not wait for the network: its answer is not looked up
// before the id is known.
func (u *unsettled) post(session *client.Session, m comms.SendMessage) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	id, err := session.Post(m.Room, m.Content)
	if err != nil {
		return err
	}
	if u.posts == nil {
		u.posts = map[string]comms.SendMessage{}
	}
	u.posts[id] = m
	return nil
}

// settle follows the answer to what was posted under this id.
func (u *unsettled) settle(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m, ok := u.posts[id]; ok {
		delete(u.posts, id)
		u.addLocked(-size(m))
	}
}

// posted tells whether a message in this room is not settled. The caller holds mu.
func (u *unsettled) posted(room string) bool {
	for _, m := range u.posts {
		if m.Room == room {
			return true
		}
	}
	return false
}

// wait blocks until what is asked for with mu held is so. It gives up, and returns
// false, when ctx ends or nothing was settled for as long as patience.
func (u *unsettled) wait(ctx context.Context, patience time.Duration, enough func() bool) bool {
	for {
		u.mu.Lock()
		if enough() {
			u.mu.Unlock()
			return true
		}
		if u.less == nil {
			u.less = make(chan struct{})
		}
		less := u.less
		u.mu.Unlock()
		select {
		case <-less:
		case <-time.After(patience):
			return false
		case <-ctx.Done():
			return false
		}
	}
}
