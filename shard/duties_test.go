package shard

import (
	"sync"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestStuckLogStopsItsOwnPartitionAlone: somebody says something in two rooms in
// one breath, and the log of the one does not answer. The other goes on.
func TestStuckLogStopsItsOwnPartitionAlone(t *testing.T) {
	if membership.Partition("go") == membership.Partition("tea") {
		t.Fatal("the rooms are in one partition")
	}
	for _, stuck := range []string{"go", "tea"} {
		t.Run(stuck, func(t *testing.T) {
			log := &slow{Log: memlog.NewStore().Open(), room: stuck, begun: make(chan struct{}, 1), answer: make(chan struct{})}
			addr := serveOn(t, log)
			answer := sync.OnceFunc(func() { close(log.answer) })
			t.Cleanup(answer) // or the shard would not end
			ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
			other := map[string]string{"go": "tea", "tea": "go"}[stuck]
			ada.join(stuck, nil)
			ada.join(other, nil)
			bob.join(other, nil)
			ada.say(comms.SendMessage{Room: "go", ID: "a1", Content: "1"}, comms.SendMessage{Room: "tea", ID: "a2", Content: "2"})
			<-log.begun
			bob.say(comms.SendMessage{Room: other, ID: "b1", Content: "3"})
			for range 2 {
				if m := bob.message(); m.Room != other {
					t.Errorf("bob got %+v", m)
				}
			}
			answer()
			for range 3 {
				ada.message()
			}
		})
	}
}
