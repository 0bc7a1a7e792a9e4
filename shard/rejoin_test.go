package shard

import (
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestWhoIsBackBeforeTheOldPartEndsLeavesTheNewOne: the partition was lost and
// is held here again, and a session joined its room anew, before the old part
// sent its sessions away. Once that session's connection ends it is in no room:
// it was listed in the new one for ever.
func TestWhoIsBackBeforeTheOldPartEndsLeavesTheNewOne(t *testing.T) {
	server := serverOn(t, memlog.NewStore().Open(), unforgiving)
	ada := login(t, server.opts.Listener.Addr().String(), "ada")
	ada.join("go", nil)
	partition := membership.Partition("go")
	old := server.held(partition)
	ended := make(chan struct{})
	func() {
		old.mu.Lock()
		defer old.mu.Unlock()
		go func() {
			defer close(ended)
			(*rooms)(server).Lost(partition, old.first, ownership.Where{})
		}()
		await(t, "the old part is off the list", func() bool { return server.held(partition) != old })
		ada.join("go", nil)
	}()
	<-ended
	if moved, ok := ada.next().(comms.RoomMoved); !ok {
		t.Fatalf("got %+v", moved)
	}
	p := server.held(partition)
	members := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.rooms["go"].members)
	}
	if n := members(); n != 1 {
		t.Fatalf("%d members are in the new part's room, want ada", n)
	}
	ada.nc.Close() //nolint:errcheck // as a network does
	await(t, "ada is in the room no more", func() bool { return members() == 0 })
}
