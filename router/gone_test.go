package router

import (
	"encoding/json"
	"fmt"
	"testing"

	"positivity-exchange/comms"
)

// TestRouterWatchesTheRoomsAskedForLast, and those before them that the client
// says it is served at.
func TestRouterWatchesTheRoomsAskedForLast(t *testing.T) {
	r := start(t)
	r.gossip.set(shardAt("s1", "127.0.0.1:1"))
	c := r.dial()
	c.say(hello, `{"_ct":"locate","r":"go"}`, `{"_ct":"locate","r":"go","at":"127.0.0.1:1"}`)
	for i := range maxLocated {
		c.say(fmt.Sprintf(`{"_ct":"locate","r":"junk-%d"}`, i))
	}
	c.say(`{"_ct":"locate","r":"tea"}`)
	c.hear(`"located"`, `"tea"`)
	r.gossip.set(shardAt("s2", "127.0.0.1:2"))
	r.mu.Lock()
	r.gone["s1-boot"] = true
	r.mu.Unlock()
	told := map[string]bool{}
	for len(told) < maxLocated {
		var moved comms.RoomMoved
		if err := json.Unmarshal([]byte(c.hear(`"room_moved"`)), &moved); err != nil {
			t.Fatal(err)
		}
		for _, room := range moved.Rooms {
			told[room] = true
		}
	}
	if !told["go"] || !told["tea"] || told["junk-0"] || told["junk-1"] {
		t.Errorf("it told of #go: %t, #tea: %t, #junk-0: %t, #junk-1: %t", told["go"], told["tea"], told["junk-0"], told["junk-1"])
	}
}
