package shard

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/lobby"
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

// TestStrangersDoNotFillTheShard: whoever came first and has not said hello goes
// when there are too many; those who have stay.
func TestStrangersDoNotFillTheShard(t *testing.T) {
	server := serverOn(t, memlog.NewStore().Open(), func(s *Server) { s.lobby = lobby.New(2) })
	addr := server.opts.Listener.Addr().String()
	ada := login(t, addr, "ada")
	first := dial(t, addr)
	await(t, "the first stranger is there", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		return len(server.sessions) == 2
	})
	for range 2 {
		dial(t, addr)
	}
	if g, ok := first.next().(comms.Goodbye); !ok || g.Reason != comms.CodeTooMany {
		t.Errorf("got %+v", g)
	}
	if _, err := first.conn.ReadEvent(); !errors.Is(err, io.EOF) {
		t.Errorf("it goes on after its goodbye: %v", err)
	}
	ada.say(comms.Ping{N: 1})
	if e := ada.next(); e != comms.Event(comms.PongEvent{N: 1}) {
		t.Errorf("ada got %+v", e)
	}
}
