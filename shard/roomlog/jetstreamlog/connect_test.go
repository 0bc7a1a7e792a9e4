package jetstreamlog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestCredentialsThatAreRefusedForAWhile: a server that is set up wrong, and
// right again, is no reason to start everything anew.
func TestCredentialsThatAreRefusedForAWhile(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Config{User: "px", Password: "right"})
	refused := make(chan error, 1000)
	l, ctx := held(t, strings.Replace(s.URL(), "nats://", "nats://px:right@", 1)), t.Context()
	l.nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
	s.Stop()
	s.Config.Password = "wrong"
	s.Start(t)
	for n := 0; n < 3; {
		select {
		case err := <-refused:
			if errors.Is(err, nats.ErrAuthorization) {
				n++
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("refused %d times, closed: %v", n, l.nc.IsClosed())
		}
	}
	s.Stop()
	s.Config.Password = "right"
	s.Start(t)
	patiently(func() (err error) {
		_, err = l.Owner(ctx, 0)
		return err
	})
	if o, err := l.Owner(ctx, 0); err != nil || o.Epoch != 1 {
		t.Errorf("after it takes them again: %+v, %v", o, err)
	}
}
