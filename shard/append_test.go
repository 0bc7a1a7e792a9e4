package shard

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// unwilling is a log that answers messages with an error, for as long as there is one.
type unwilling struct {
	roomlog.Log
	mu     sync.Mutex
	answer error
	times  int
}

func (l *unwilling) say(answer error, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer, l.times = answer, times
}

func (l *unwilling) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	l.mu.Lock()
	refuse := l.times > 0 && records[0].Kind == roomlog.KindMessage
	if refuse {
		l.times--
	}
	err := l.answer
	l.mu.Unlock()
	if refuse {
		return err
	}
	return l.Log.Append(ctx, partition, epoch, records)
}

// with counts the lines that have all of words.
func (l *lines) with(words ...string) (n int) {
lines:
	for line := range strings.Lines(l.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		n++
	}
	return n
}

func (l *lines) hear(s *Server) { s.logger = l.logger() }

// TestRefusalsAreLoggedWithTheStoresReason: once when they begin and once when
// they end, however many there are.
func TestRefusalsAreLoggedWithTheStoresReason(t *testing.T) {
	log, said := &unwilling{Log: memlog.NewStore().Open()}, &lines{}
	ada := login(t, serveOn(t, log, said.hear), "ada")
	ada.join("go", nil)
	for round := range 2 {
		log.say(fmt.Errorf("%w: the stream is at its byte limit", roomlog.ErrRefused), 3)
		m := comms.SendMessage{Room: "go", ID: fmt.Sprint("i", round), Content: "x"}
		for range 3 {
			ada.say(m)
			ada.refused(comms.CodeStorage)
		}
		if n := said.with("WARN", "byte limit", "partition="); n != round+1 {
			t.Fatalf("%d warnings in round %d:\n%s", n, round, said)
		}
		if n := said.with("INFO", "takes", "again"); n != round {
			t.Errorf("%d all-clears before the end of round %d:\n%s", n, round, said)
		}
		ada.say(m)
		ada.message()
	}
	if n := said.with("INFO", "takes", "again"); n != 2 {
		t.Errorf("%d all-clears:\n%s", n, said)
	}
}

// TestLogThatLostItsEndHasItsRoomsReadAgain: under another epoch, by those who
// come back to them.
func TestLogThatLostItsEndHasItsRoomsReadAgain(t *testing.T) {
	for name, answer := range map[string]error{
		"the end of a room": fmt.Errorf("%w: %w", roomlog.ErrRefused, roomlog.ErrLostEnd),
		"a room":            roomlog.ErrNoRoom,
	} {
		t.Run(name, func(t *testing.T) {
			log, said := &unwilling{Log: memlog.NewStore().Open()}, &lines{}
			ada := login(t, serveOn(t, log, said.hear), "ada")
			before := ada.join("go", nil)
			log.say(answer, 1)
			ada.say(comms.SendMessage{Room: "go", ID: "i1", Content: "x"})
			for moved := false; !moved; {
				switch e := ada.next().(type) {
				case comms.RoomMoved:
					if moved = true; e.Shard != "s1" || e.Epoch != before.Epoch+1 {
						t.Errorf("it is to be found at %+v", e)
					}
				case comms.Error:
				default:
					t.Fatalf("got %+v", e)
				}
			}
			if after := ada.join("go", nil); after.Epoch != before.Epoch+1 {
				t.Errorf("epoch %d after %d", after.Epoch, before.Epoch)
			}
			ada.say(comms.SendMessage{Room: "go", ID: "i1", Content: "x"})
			if m := ada.message(); m.Seq != 1 {
				t.Errorf("stored as %+v", m)
			}
			if said.with("WARN", "lost its end") != 1 || said.with("another owner") != 0 {
				t.Errorf("logged:\n%s", said)
			}
		})
	}
}
