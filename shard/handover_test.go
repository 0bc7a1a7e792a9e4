package shard

import (
	"encoding/json"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestGraceIsTheSameByEveryClock: machines' clocks differ, and what the last
// owner's said must neither cut the time in which people come back nor add to it.
// A release of long ago is not mended by that: who was there then has left.
func TestGraceIsTheSameByEveryClock(t *testing.T) {
	server := serverOn(t, memlog.NewStore().Open())
	for name, c := range map[string]struct {
		ahead     time.Duration // of the last owner's clock
		ada, away time.Duration // left for who was there, and for who was away with 4 s left
	}{
		"equal":                  {0, graceFor, 4 * time.Second},
		"theirs is behind":       {-comms.ClockSkew / 2, graceFor, 4 * time.Second},
		"theirs is ahead":        {comms.ClockSkew / 2, graceFor, 4 * time.Second},
		"theirs is hours ahead":  {5 * time.Hour, graceFor, 4 * time.Second},
		"released an hour ago":   {-time.Hour, 0, 0},
		"released before a year": {-365 * 24 * time.Hour, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := time.Now().Add(c.ahead)
			b, err := json.Marshal(handover{
				Deadline: theirs.Add(graceFor).UnixMilli(),
				Rooms:    map[string][]string{"go": {"ada"}},
				Away:     map[string]map[string]int64{"go": {"bob": theirs.Add(4 * time.Second).UnixMilli()}},
			})
			if err != nil {
				t.Fatal(err)
			}
			before := time.Now()
			p := newPart(server, ownership.Holding{Partition: 7, Epoch: 2, Handover: ownership.NewHandover(b)})
			after := time.Now()
			for user, want := range map[string]time.Duration{"ada": c.ada, "bob": c.away} {
				until := p.grace["go"][user]
				switch {
				case want == 0 && until.After(before):
					t.Errorf("%s is given %s", user, until.Sub(before))
				case want > 0 && (until.Before(before.Add(want-time.Millisecond)) || until.After(after.Add(want))):
					t.Errorf("%s is given %s, want %s", user, until.Sub(before), want)
				}
			}
		})
	}
}
