package shard

import (
	"fmt"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestNothingOvertakesARefusedMessage: a client has sent more by the time it
// hears that a message was refused. Whatever the reason, what follows may not
// be stored before that one has come again.
func TestNothingOvertakesARefusedMessage(t *testing.T) {
	for name, c := range map[string]struct {
		first comms.SendMessage
		await bool // until the owner may not answer without its log
	}{
		"the partition is not to be had": {comms.SendMessage{Room: "go", Content: "two", ID: "i2"}, true},
		"the append is refused":          {comms.SendMessage{Room: "go", Content: "two", ID: "i2"}, false},
		"the log cannot be looked through": {
			comms.SendMessage{Room: "go", Content: "two", ID: "i2", Again: true}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := memlog.NewStore().Open()
			addr := serveOn(t, log)
			ada, other := login(t, addr, "ada"), login(t, addr, "bob")
			ada.join("go", nil)
			for i := range uint64(windowSize + 2) { // the first is not in the window any more
				ada.say(comms.SendMessage{Room: "go", Content: "x", ID: fmt.Sprint("n", i)})
				ada.message()
			}
			log.Cut(true)
			for deadline := time.Now().Add(10 * time.Second); c.await; {
				other.say(comms.Locate{Room: "go"})
				if e, ok := other.next().(comms.Error); ok && comms.Retryable(e.Code) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the shard answers without its log")
				}
			}
			ada.say(c.first)
			if e, ok := ada.next().(comms.Error); !ok || !comms.Retryable(e.Code) || e.ID != "i2" {
				t.Fatalf("got %+v, want that it comes again", e)
			}
			log.Cut(false)
			three := comms.SendMessage{Room: "go", Content: "three", ID: "i3"}
			ada.say(three)
			ada.refused(comms.CodeOutOfOrder)
			ada.say(c.first, three)
			for i, want := range []string{"two", "three"} {
				if m := ada.message(); m.Content != want || m.Seq != uint64(windowSize+3+i) {
					t.Errorf("got %+v, want %s", m, want)
				}
			}
		})
	}
}
