package shard

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog/memlog"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// logger writes all that is said to l, Debug included.
func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// TestCommandsDoNotEachTellOfAnOutage: everybody hears that the log does not
// answer; whoever reads the shard's log is told once.
func TestCommandsDoNotEachTellOfAnOutage(t *testing.T) {
	log, said := &away{Log: memlog.NewStore().Open()}, &lines{}
	opts := optionsOn(t, log)
	opts.Logger, opts.Keeper.Logger = said.logger(), said.logger()
	c := login(t, run(t, opts).opts.Listener.Addr().String(), "ada")
	log.headsAway.Store(true)
	for i := range 5 {
		c.say(comms.JoinRoom{Room: "go"})
		if e, ok := c.next().(comms.Error); !ok || e.Code != comms.CodeStorage {
			t.Fatalf("join %d: got %+v, want %s", i, e, comms.CodeStorage)
		}
	}
	log.headsAway.Store(false)
	log.away.Store(true)
	for i := range 2 {
		c.say(comms.CreateRoom{Room: fmt.Sprint("new-", i)})
		if e, ok := c.next().(comms.Error); !ok || e.Code != comms.CodeStorage {
			t.Fatalf("create %d: got %+v, want %s", i, e, comms.CodeStorage)
		}
	}
	if n := strings.Count(said.String(), "level=WARN"); n != 2 { // of opening, and of taking over
		t.Errorf("%d warnings, want 2:\n%s", n, said)
	}
}
