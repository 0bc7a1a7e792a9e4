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

// TestWhyASessionWasEndedIsLogged: those who cannot be caught up from the log
// lose their connection, and nobody else could tell why.
func TestWhyASessionWasEndedIsLogged(t *testing.T) {
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
		if e, err := c.conn.ReadEvent(); err == nil {
			t.Fatalf("got %+v, want the end", e)
		}
		level := []string{"WARN", "DEBUG"}[i] // the second tells nothing new to a person
		want := []string{"level=" + level, "user=" + user, "addr=" + c.nc.LocalAddr().String(), "behind 1", "no leader"}
		await(t, "it is logged why "+user+" was ended", func() bool {
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
