package shard

import (
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestHoldingThatIsOverOpensNothing: a session that was told of a holding and
// goes on only after the partition moved away must not open it under the old
// epoch. What it opened stayed when the partition came back, and every append
// in it was fenced until the partition moved once more.
func TestHoldingThatIsOverOpensNothing(t *testing.T) {
	store := memlog.NewStore().Open()
	server := serverOn(t, store)
	partition := membership.Partition("go")
	old, err := server.keeper.Hold(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Release(t.Context(), partition, old.Epoch, roomlog.Release{}); err != nil {
		t.Fatal(err)
	}
	server.keeper.Recheck(partition) // and is deposed
	if p, err := server.opened(t.Context(), old); p != nil || err == nil {
		t.Errorf("epoch %d is over and was opened: %v", old.Epoch, err)
	}
	ada := login(t, server.opts.Listener.Addr().String(), "ada")
	ada.join("go", nil)
	ada.say(comms.SendMessage{Room: "go", Content: "one", ID: "i1"})
	if m := ada.message(); m.Epoch <= old.Epoch {
		t.Errorf("stored under epoch %d, want a later one than %d", m.Epoch, old.Epoch)
	}
}
