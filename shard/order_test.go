package shard

import (
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestNothingOvertakesWhatTheLogKeptOut: while the log is away a message is
// refused before it reaches the queue. What its sender sent behind it must not
// be taken once the log is back, before that one has come again.
func TestNothingOvertakesWhatTheLogKeptOut(t *testing.T) {
	log := memlog.NewStore().Open()
	addr := serveOn(t, log)
	ada, bob := login(t, addr, "ada"), login(t, addr, "bob")
	ada.join("go", nil)
	bob.join("go", nil)
	log.Cut(true)
	// Beyond a second after its last heartbeat the shard asks the log whether the
	// room is still its own; ada's message shows when that is.
	for deadline := time.Now().Add(10 * time.Second); ; {
		ada.say(comms.SendMessage{Room: "go", Content: "probe", ID: "probe", Again: true})
		last := ada.next()
		if e, ok := last.(comms.Error); ok && e.Code == comms.CodeNotReady {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the shard goes on without its log; it says %+v", last)
		}
	}
	bob.say(comms.SendMessage{Room: "go", Content: "one", ID: "one"})
	if e, ok := bob.next().(comms.Error); !ok || e.ID != "one" || !comms.Retryable(e.Code) {
		t.Fatalf("got %+v", e)
	}
	log.Cut(false)
	expect := func(id, code string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			bob.say(comms.SendMessage{Room: "go", Content: id, ID: id, Again: true})
			switch e := bob.next().(type) {
			case comms.Error:
				if e.Code == code {
					return
				}
			case comms.UserMessage:
				if code != "" {
					t.Fatalf("%s was stored as %d, want %s", id, e.Seq, code)
				}
				return
			}
		}
		t.Fatalf("%s: want %q", id, code)
	}
	expect("two", comms.CodeOutOfOrder)
	expect("one", "")
	expect("two", "")
}
