package jetstreamlog

import (
	"context"
	"sync"
	"time"
)

// attemptFor is how long one request's answer is waited for.
const attemptFor = time.Second

// connection tells attempts under way that what they wait for will not come:
// answers of a server that is gone are asked for anew, of the next one.
type connection struct {
	mu   sync.Mutex
	ctx  context.Context // of attempts made over the present connection
	lose context.CancelFunc
}

func newConnection() *connection {
	c := &connection{}
	c.ctx, c.lose = context.WithCancel(context.Background())
	return c
}

// lost ends the attempts made so far.
func (c *connection) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose()
	c.ctx, c.lose = context.WithCancel(context.Background())
}

// try bounds one attempt.
func (c *connection) try(ctx context.Context) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	present := c.ctx
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	stop := context.AfterFunc(present, cancel)
	return ctx, func() { stop(); cancel() }
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
