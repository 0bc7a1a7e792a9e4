package shard

import (
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// TestLastWordsAreAnswered: somebody says something and goes at once, while
// another's reader is storing for the room. What was stored is told to who said
// it, before the farewell: a client takes what it hears nothing of for not stored.
func TestLastWordsAreAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		last     comms.Command
		farewell func(comms.Event) bool
	}{
		"leave": {comms.LeaveRoom{Room: "go"}, func(e comms.Event) bool { return e == comms.Event(comms.RoomLeft{Room: "go"}) }},
		"quit":  {comms.Quit{}, func(e comms.Event) bool { _, is := e.(comms.Goodbye); return is }},
	} {
		t.Run(name, func(t *testing.T) {
			log := newGated()
			server := serverOn(t, log)
			ada, bob := login(t, server.opts.Listener.Addr().String(), "ada"), login(t, server.opts.Listener.Addr().String(), "bob")
			ada.join("go", nil)
			bob.join("go", nil)
			log.armed.Store(true)
			bob.say(say("b1"))
			<-log.begun
			ada.say(say("a1"), c.last)
			p := server.held(membership.Partition("go"))
			await(t, "ada's message waits", func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return len(p.queue) == 1
			})
			log.settle(nil)
			for _, id := range []string{"b1", "a1"} {
				if m := ada.message(); m.ID != id {
					t.Errorf("ada got %+v, want %s", m, id)
				}
			}
			if e := ada.next(); !c.farewell(e) {
				t.Errorf("ada got %+v", e)
			}
		})
	}
}

// TestWhoLeavesIsNotHeldByALogThatDoesNotAnswer for longer than anybody waits for one.
func TestWhoLeavesIsNotHeldByALogThatDoesNotAnswer(t *testing.T) {
	log := newGated()
	ada, bob := behindAnother(t, log, serveOn(t, log))
	ada.say(comms.LeaveRoom{Room: "go"})
	if e := ada.next(); e != comms.Event(comms.RoomLeft{Room: "go"}) {
		t.Errorf("ada got %+v", e)
	}
	log.settle(nil)
	bob.awaitMessages("b1", "i1")
}

// TestWhoLeavesIsNotHeldByWhatItCommits: the log does not answer for a message that
// came in one write with the ends of two rooms.
func TestWhoLeavesIsNotHeldByWhatItCommits(t *testing.T) {
	log := newGated()
	ada := login(t, serveOn(t, log), "ada")
	rooms := []string{"go", "tea"}
	for _, room := range rooms {
		ada.join(room, nil)
	}
	log.armed.Store(true)
	said := []comms.Command{say("a1")}
	for _, room := range rooms {
		said = append(said, comms.LeaveRoom{Room: room})
	}
	ada.say(said...)
	<-log.begun
	for _, room := range rooms {
		if e, ok := ada.next().(comms.RoomLeft); !ok || e.Room != room {
			t.Errorf("got %+v, want to have left #%s", e, room)
		}
	}
	log.settle(nil)
}
