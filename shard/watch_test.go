package shard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// unlisted is a log that does not tell a partition's rooms while it is away.
type unlisted struct {
	roomlog.Log
	partition int
	away      atomic.Bool
	damaged   atomic.Bool
	asked     chan struct{}
}

func (l *unlisted) Rooms(ctx context.Context, partition int, after string, limit int) ([]roomlog.RoomInfo, error) {
	if partition == l.partition && l.away.Load() {
		select {
		case l.asked <- struct{}{}:
		default:
		}
		return nil, errors.New("no leader")
	}
	if partition == l.partition && l.damaged.Load() {
		return nil, fmt.Errorf("%w: not a database", roomlog.ErrDamaged)
	}
	return l.Log.Rooms(ctx, partition, after, limit)
}

// TestRoomsAreReportedWholeOrNotYet: who watches would take what a log that is
// away did not tell for rooms that are there no more.
func TestRoomsAreReportedWholeOrNotYet(t *testing.T) {
	const made = "made-since"
	partition := membership.Partition(made)
	log := &unlisted{Log: memlog.NewStore().Open(), partition: partition, asked: make(chan struct{}, 1)}
	addr := serveOn(t, log)
	ada := login(t, addr, "ada")
	ada.say(comms.CreateRoom{Room: made})
	if created, ok := ada.next().(comms.RoomCreated); !ok || created.Room != made {
		t.Fatalf("got %+v", created)
	}
	log.away.Store(true)
	router := dial(t, addr)
	ticket, _ := keys.Issue(comms.AsMember, "r1", time.Now())
	router.say(comms.Hello{Version: comms.Version, User: "r1", As: comms.AsMember, Ticket: ticket}, comms.WatchRooms{})
	reported := map[int]bool{}
	for len(reported) < membership.Partitions-1 {
		if r, ok := router.next().(comms.RoomReport); ok {
			if reported[r.Partition] = true; r.Partition == partition {
				t.Fatalf("reported without its log: %+v", r)
			}
		}
	}
	<-log.asked
	log.away.Store(false)
	for {
		r, ok := router.next().(comms.RoomReport)
		if !ok || r.Partition != partition {
			continue
		}
		if len(r.Rooms) != 1 || r.Rooms[0].Name != made {
			t.Errorf("got %+v", r)
		}
		return
	}
}

// TestDamagedPartitionIsReportedAsSuch: once, and its rooms when it has been put
// right. The other partitions' rooms do not wait for that.
func TestDamagedPartitionIsReportedAsSuch(t *testing.T) {
	partition := membership.Partition("go")
	log := &unlisted{Log: memlog.NewStore().Open(), partition: partition}
	log.damaged.Store(true)
	router := dial(t, serveOn(t, log))
	ticket, _ := keys.Issue(comms.AsMember, "r1", time.Now())
	router.say(comms.Hello{Version: comms.Version, User: "r1", As: comms.AsMember, Ticket: ticket}, comms.WatchRooms{})
	reported := map[int]bool{}
	for len(reported) < membership.Partitions {
		r, ok := router.next().(comms.RoomReport)
		if !ok {
			continue
		}
		if reported[r.Partition] = true; (r.Partition == partition) != strings.Contains(r.Failed, "not a database") {
			t.Errorf("got %+v", r)
		}
	}
	log.damaged.Store(false)
	for {
		r, ok := router.next().(comms.RoomReport)
		if !ok {
			continue
		}
		if r.Partition != partition || r.Failed != "" || len(r.Rooms) != 1 {
			t.Errorf("got %+v", r)
		}
		return
	}
}
