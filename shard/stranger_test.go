package shard

import (
	"io"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog/memlog"
)

// TestStrangersLineIsShort: before anybody has said who they are the shard keeps
// no more of what they begin than a hello takes.
func TestStrangersLineIsShort(t *testing.T) {
	addr := serveOn(t, memlog.NewStore().Open())
	stranger := dial(t, addr)
	if _, err := io.WriteString(stranger.nc, strings.Repeat("x", comms.MaxHelloFrame)); err != nil {
		t.Fatal(err)
	}
	stranger.refused(comms.CodeFrameTooLong)
	if g, ok := stranger.next().(comms.Goodbye); !ok || g.Reason != comms.CodeFrameTooLong {
		t.Errorf("got %+v", g)
	}
	// What comes right behind hello may be as long as ever.
	ada := dial(t, addr)
	ticket, _ := keys.Issue(comms.AsClient, "ada", time.Now())
	ada.say(
		comms.Hello{Version: comms.Version, User: "ada", Ticket: ticket},
		comms.JoinRoom{Room: "go"},
		comms.SendMessage{Room: "go", ID: "1", Content: strings.Repeat("\n", comms.MaxContent)}, // twice as long on the wire
	)
	for {
		switch e := ada.next().(type) {
		case comms.Error:
			t.Fatalf("got %+v", e)
		case comms.UserMessage:
			if len(e.Content) != comms.MaxContent {
				t.Errorf("got %d bytes", len(e.Content))
			}
			return
		}
	}
}
