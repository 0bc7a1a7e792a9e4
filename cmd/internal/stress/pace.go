package stress

import (
	"context"
	"time"
)

// pace says what is due until ctx ends, where no poller does.
func (e *engine) pace(ctx context.Context) {
	for ctx.Err() == nil {
		e.mu.Lock()
		next := e.speakDue()
		e.mu.Unlock()
		time.Sleep(time.Until(e.start.Add(next)))
	}
}
