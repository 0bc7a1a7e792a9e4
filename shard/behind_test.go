package shard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// unread is a log whose records cannot be read in ascending order.
type unread struct{ roomlog.Log }

func (unread) Read(context.Context, int, string, uint64, int, int) ([]roomlog.Record, error) {
	return nil, errors.New("no leader")
}

// TestWhyASessionIsOutOfARoomIsLogged: that the log does not give what it missed,
// once for a person to see; many may need it at the time.
func TestWhyASessionIsOutOfARoomIsLogged(t *testing.T) {
	store := memlog.NewStore()
	before, p := store.Open(), membership.Partition("go")
	old, err := before.Acquire(t.Context(), p, roomlog.Owner{}, roomlog.Owner{Name: "old", Boot: "old"})
	if err != nil {
		t.Fatal(err)
	}
	records := []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}
	for seq := uint64(1); seq <= 3; seq++ {
		records = append(records, roomlog.Record{Room: "go", Kind: roomlog.KindMessage, Seq: seq, User: "bob", ID: fmt.Sprint(seq), Content: "old"})
	}
	err = errors.Join(before.Append(t.Context(), p, old.Epoch, records), before.Release(t.Context(), p, old.Epoch, roomlog.Release{}))
	if err != nil {
		t.Fatal(err)
	}
	said := &lines{}
	opts := optionsOn(t, unread{store.Open()})
	opts.Logger = said.logger()
	addr := run(t, opts).opts.Listener.Addr().String()
	for i, user := range []string{"ada", "bea"} {
		c := login(t, addr, user)
		c.join("go", &comms.Position{Seq: 1, Epoch: old.Epoch})
		c.refused(comms.CodeUnreadable)
		level := []string{"WARN", "DEBUG"}[i] // the second tells nothing new to a person
		want := []string{"level=" + level, "user=" + user, "room=go", "behind 1", "no leader"}
		await(t, "word of why "+user+" is out of the room", func() bool {
			for line := range strings.Lines(said.String()) {
				found := 0
				for _, w := range want {
					if strings.Contains(line, w) {
						found++
					}
				}
				if found == len(want) {
					return true
				}
			}
			return false
		})
	}
}
