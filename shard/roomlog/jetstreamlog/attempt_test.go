package jetstreamlog

import (
	"testing"
	"time"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestServerThatIsGoneIsNotWaitedFor: a request that a server had when it died
// is made again at once, not when its time is over.
func TestServerThatIsGoneIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Config{})
	l := held(t, s.URL())
	s.Freeze(t)
	before := l.nc.Stats().OutMsgs
	asked := make(chan error, 1)
	go func() {
		_, err := l.askLeader(t.Context(), l.parts[0].stream, []byte(`{"last_by_subj":">"}`))
		asked <- err
	}()
	for l.nc.Stats().OutMsgs == before { // it is under way
		if pause(t.Context(), time.Millisecond) != nil {
			return
		}
	}
	start := time.Now()
	s.Kill()
	if err := <-asked; err == nil || time.Since(start) > attemptFor/2 {
		t.Errorf("answered with %v, %s after the server's end", err, time.Since(start))
	}
}
