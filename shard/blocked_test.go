package shard

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// standing is a log in which another process stands still inside a transaction,
// once a partition is held, until it is ended.
type standing struct {
	roomlog.Log
	os    roomlog.OSProcess
	mu    sync.Mutex
	since time.Time
	ended bool
}

func (l *standing) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if records[0].Kind == roomlog.KindMessage && !l.ended {
		if l.since.IsZero() {
			l.since = time.Now()
		}
		return &roomlog.BlockedError{Partition: partition, OS: l.os, For: time.Since(l.since)}
	}
	return l.Log.Append(ctx, partition, epoch, records)
}

func (l *standing) End(_ context.Context, b *roomlog.BlockedError) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = b.OS == l.os
	return nil
}

// lonely is alone, with nobody else alive.
type lonely struct{ alone }

func (l lonely) Alive(boot string) bool { return boot == l.self.Boot }

// TestOwnerEndsWhoStandsInTheWayOfItsAppends: a shard that lost the race for a
// partition may be stopped inside its transaction, before it finds that it
// lost. The owner acquires no more; its appends meet the lock.
func TestOwnerEndsWhoStandsInTheWayOfItsAppends(t *testing.T) {
	store := memlog.NewStore().Open()
	log := &standing{Log: store, os: roomlog.OSProcess{Kernel: "another", PID: 1 << 30}}
	if err := store.Register(t.Context(), roomlog.Process{Name: "s2", Boot: "0", Role: "shard", OS: log.os, Alone: true}); err != nil {
		t.Fatal(err)
	}
	sayUntil(t, log, slog.New(slog.DiscardHandler), func(e comms.Event) bool {
		_, stored := e.(comms.UserMessage)
		return stored
	})
}

// TestWhoIsWaitedForIsSaidOnce, where it cannot be known: somebody has to find it.
func TestWhoIsWaitedForIsSaidOnce(t *testing.T) {
	log := &standing{Log: memlog.NewStore().Open()}
	said := make(tally, 1000)
	refused := 0
	sayUntil(t, log, slog.New(slog.NewTextHandler(said, nil)), func(e comms.Event) bool {
		if len(said) > 0 {
			refused++
		}
		return refused > 3 // and said nothing anew
	})
	if len(said) != 1 {
		t.Errorf("said %d times, want once", len(said))
	}
}

// tally holds the lines of a log that tell of somebody who is waited for.
type tally chan string

func (c tally) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "waiting for a process") && strings.Contains(string(line), "not known") {
		c <- string(line)
	}
	return len(line), nil
}

// sayUntil has somebody send a message to a room on log, again on each refusal,
// until an event is the one that is waited for.
func sayUntil(t *testing.T, log roomlog.Log, logger *slog.Logger, is func(comms.Event) bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gossip := lonely{alone{membership.Member{Name: "s1", Boot: membership.NewBoot(), Role: membership.RoleShard, State: membership.StateActive, Client: ln.Addr().String()}}}
	census := ownership.NewCensus(log, roomlog.Process{Name: "s1", Boot: gossip.self.Boot, OS: roomlog.ThisProcess()}, ownership.CensusOptions{Alive: gossip.Alive})
	if err := census.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := New(Options{Name: "s1", Boot: gossip.self.Boot, Listener: ln, Log: log, Gossip: gossip, Census: census, Keys: keys, Rooms: []comms.Room{{Name: "go"}}, Keeper: ownership.Options{Logger: logger}})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { server.Run(ctx) }) //nolint:errcheck // ends with ctx
	running.Go(func() { census.Run(ctx) }) //nolint:errcheck // ends with ctx
	defer running.Wait()
	defer cancel()

	c := login(t, gossip.self.Client, "ann")
	c.say(comms.JoinRoom{Room: "go"})
	deadline := time.Now().Add(10 * time.Second)
	for {
		c.say(comms.SendMessage{Room: "go", ID: "1", Content: "hello"})
		for {
			e := c.next()
			if is(e) {
				return
			}
			if _, refused := e.(comms.Error); refused {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("what is waited for has not come after 10 s")
		}
	}
}
