package fanout

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// reluctant is a connection whose end takes a while, as under TLS where the peer
// does not read the farewell.
type reluctant struct{ net.Conn }

func (c reluctant) Close() error {
	time.Sleep(50 * time.Millisecond) // of a bubble's time
	return c.Conn.Close()
}

// TestEndOfAPoolWaitsForManyAtOnce: a shard with a thousand people who do not
// read ends in a moment, not in a minute.
func TestEndOfAPoolWaitsForManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(time.Minute)
		for range 1000 {
			near, far := net.Pipe()
			defer far.Close() //nolint:errcheck // never fails
			p.NewOutlet(reluctant{near}, func(error) {})
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		p.Run(over) //nolint:errcheck // over's
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
