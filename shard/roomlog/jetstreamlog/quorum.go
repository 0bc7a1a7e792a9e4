package jetstreamlog

import (
	"context"
	"errors"
	"time"
)

// A leader that is cut off goes on answering reads for some 10 s, while the
// majority elects another after 4 s at the soonest. So a leader is believed
// about owner records only if it heard from a majority within heardWithin (its
// heartbeats go out every second), looked at anew every ledFor: a deposed owner
// behind a cut-off leader stops before its successor can have begun.
const (
	heardWithin = 2500 * time.Millisecond
	ledFor      = 500 * time.Millisecond
)

var errAlone = errors.New("its leader hears from no majority")

// led makes sure that the stream's leader is one.
func (l *Log) led(ctx context.Context, stream string) error {
	now := time.Now()
	l.ledMu.Lock()
	fresh := now.Sub(l.ledAt[stream]) < ledFor
	l.ledMu.Unlock()
	if fresh {
		return nil
	}
	for {
		now = time.Now()
		info, err := l.info(ctx, stream, "", 0)
		if err == nil && !info.majority() {
			err = errAlone
		}
		if err == nil {
			l.ledMu.Lock()
			l.ledAt[stream] = now
			l.ledMu.Unlock()
			return nil
		}
		if ctx.Err() != nil || pause(ctx, 50*time.Millisecond) != nil {
			return unreachable(stream, err)
		}
	}
}

// majority tells whether the leader that answered has lately heard from enough
// of its followers. A stream without followers needs none.
func (i *streamInfo) majority() bool {
	heard := 1
	for _, r := range i.Cluster.Replicas {
		if !r.Offline && r.Active < heardWithin {
			heard++
		}
	}
	return 2*heard > len(i.Cluster.Replicas)+1
}
