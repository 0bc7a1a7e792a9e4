package shard

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// keeping is a log that takes no release while it is full.
type keeping struct {
	roomlog.Log
	full bool
}

func (l *keeping) Release(ctx context.Context, partition int, epoch uint64, r roomlog.Release) error {
	if l.full {
		return errors.New("the disk is full")
	}
	return l.Log.Release(ctx, partition, epoch, r)
}

// TestOperatorHearsWhatADrainCouldNotGiveUp; the shard leaves either way.
func TestOperatorHearsWhatADrainCouldNotGiveUp(t *testing.T) {
	for name, full := range map[string]bool{"gave everything up": false, "held two rooms' partitions": true} {
		t.Run(name, func(t *testing.T) {
			drained := make(chan struct{})
			addr := serveOn(t, &keeping{memlog.NewStore().Open(), full}, func(s *Server) {
				s.opts.OnDrained = func() { close(drained) }
				s.keeper = ownership.NewKeeper(s.opts.Log, s.opts.Census, s.opts.Gossip, s.opts.Peers, (*rooms)(s), ownership.Options{DrainTimeout: 50 * time.Millisecond})
			})
			ada := login(t, addr, "ada")
			ada.join("go", nil)
			ada.join("tea", nil)
			operator := dial(t, addr)
			ticket, _ := keys.Issue(comms.AsOperator, "operator", time.Now())
			operator.say(comms.Hello{Version: comms.Version, User: "operator", Ticket: ticket, As: comms.AsOperator}, comms.Drain{Name: "s1"})
			var left, told bool
			for !left && !told {
				switch e := operator.next().(type) {
				case comms.DrainProgress:
					left = e.Left
				case comms.Error:
					told = true
					for _, word := range []string{"s1", "2", "the disk is full"} {
						if !strings.Contains(e.Message, word) {
							t.Errorf("no %q in %q", word, e.Message)
						}
					}
				}
			}
			if left == full {
				t.Errorf("left %v, told of partitions %v", left, told)
			}
			<-drained
		})
	}
}
