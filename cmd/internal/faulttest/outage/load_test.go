package outage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// load is a conversation in some rooms, and its history.
type load struct {
	t     *testing.T
	start time.Time
	out   bytes.Buffer
	log   *checker.Log
	order []sync.Mutex // of a room: a post and its line are one step for others' lines
	rooms []string

	stop    context.CancelFunc // no more messages
	senders sync.WaitGroup
	finish  context.CancelFunc
	readers sync.WaitGroup
	heads   []atomic.Uint64 // of each room, what its reader has
	acks    []atomic.Int64  // of each room, how many
	acked   []atomic.Int64  // of each room, when the last was acknowledged
}

const (
	writersOfRoom = 2
	sendEvery     = 100 * time.Millisecond // a writer
)

// talk starts a conversation; the routers are addresses for clients.
func talk(t *testing.T, rooms int, routers []string) *load {
	t.Helper()
	l := &load{t: t, start: time.Now(), order: make([]sync.Mutex, rooms), heads: make([]atomic.Uint64, rooms), acks: make([]atomic.Int64, rooms), acked: make([]atomic.Int64, rooms)}
	l.log = checker.NewLog(&l.out, func() int64 { return int64(time.Since(l.start)) })
	var sending, reading context.Context
	sending, l.stop = context.WithCancel(t.Context())
	reading, l.finish = context.WithCancel(t.Context())
	t.Cleanup(func() {
		l.stop()
		l.finish()
		l.senders.Wait()
		l.readers.Wait()
	})
	for i := range rooms {
		room := fmt.Sprint("room-", i)
		l.rooms = append(l.rooms, room)
		first := connect(t, fmt.Sprint("r", i), routers, i)
		if err := first.Create(t.Context(), room, ""); err != nil {
			t.Fatal(err)
		}
		l.readers.Go(func() { l.read(reading, first, i) })
		for n := range writersOfRoom {
			s := connect(t, fmt.Sprintf("w%d-%d", i, n), routers, i+n)
			if err := s.Join(t.Context(), room, nil); err != nil {
				t.Fatal(err)
			}
			l.senders.Go(func() { l.write(sending, s, i, n) })
		}
	}
	return l
}

// connect connects to one of the routers, and later to any.
func connect(t *testing.T, user string, routers []string, first int) *sdk.Session {
	t.Helper()
	first %= len(routers)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := sdk.Connect(ctx, sdk.Options{Routers: append(append([]string{}, routers[first:]...), routers[:first]...), User: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
	return s
}

func (l *load) add(i int, e checker.Event) {
	l.order[i].Lock()
	defer l.order[i].Unlock()
	e.Room = l.rooms[i]
	l.log.Add(e)
}

// now is the driver's clock.
func (l *load) now() int64 { return int64(time.Since(l.start)) }

// write posts on its beat until ctx ends, then waits until all is settled.
func (l *load) write(ctx context.Context, s *sdk.Session, i, writer int) {
	user, room := s.User(), l.rooms[i]
	pending := map[string]bool{}
	next := time.Now().Add(sendEvery * time.Duration(writer) / writersOfRoom)
	beat := time.NewTimer(time.Until(next))
	defer beat.Stop()
	done := ctx.Done()
	limit := make(<-chan time.Time)
	for n := 0; done != nil || len(pending) > 0; {
		select {
		case <-done:
			done = nil
			limit = time.After(15 * time.Second)
		case <-limit:
			for id := range pending {
				l.add(i, checker.Event{Kind: checker.Unknown, Who: user, ID: id})
			}
			l.t.Errorf("#%s: %s has %d messages that nobody acknowledged", room, user, len(pending))
			return
		case <-beat.C:
			if done == nil {
				continue
			}
			n++
			content := fmt.Sprintf("%d %s", n, strings.Repeat("x", rand.IntN(400)))
			l.order[i].Lock()
			id, err := s.Post(room, content)
			if err == nil {
				l.log.Add(checker.Event{Kind: checker.Send, Room: room, Who: user, ID: id, Hash: checker.Hash(content), Due: int64(next.Sub(l.start))})
			}
			l.order[i].Unlock()
			if err != nil {
				l.t.Errorf("#%s: post: %v", room, err)
				return
			}
			pending[id] = true
			next = next.Add(sendEvery)
			beat.Reset(time.Until(next))
		case e := <-s.Events():
			switch e := e.(type) {
			case sdk.Message:
				if !e.Mine || !pending[e.ID] {
					continue
				}
				delete(pending, e.ID)
				l.add(i, checker.Event{Kind: checker.Ack, Who: user, ID: e.ID, Seq: e.Seq, Epoch: e.Epoch, Hash: checker.Hash(e.Content)})
				l.acks[i].Add(1)
				l.acked[i].Store(l.now())
			case sdk.RoomLink:
				l.link(i, user, 0, e)
			case sdk.SendFailed:
				delete(pending, e.ID)
				var refused *sdk.Refused
				code := e.Err.Error()
				if errors.As(e.Err, &refused) {
					code = refused.Code
				}
				l.add(i, checker.Event{Kind: checker.Error, Who: user, ID: e.ID, Code: code})
			}
		}
	}
}

func (l *load) link(i int, who string, last uint64, e sdk.RoomLink) {
	switch e.State {
	case sdk.LinkUp:
		l.add(i, checker.Event{Kind: checker.Joined, Who: who, Seq: last, Epoch: e.Epoch, Owner: e.Shard})
	case sdk.LinkReconnecting:
		code := ""
		if e.Err != nil {
			code = e.Err.Error()
		}
		l.add(i, checker.Event{Kind: checker.Disconnect, Who: who, Code: code})
	}
}

// read follows a room from its beginning.
func (l *load) read(ctx context.Context, s *sdk.Session, i int) {
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		s.Join(ctx, l.rooms[i], &comms.Position{}) //nolint:errcheck // no records come then, which is seen
	}()
	defer func() { <-joined }()
	user := s.User()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-s.Events():
			switch e := e.(type) {
			case sdk.Message:
				l.heads[i].Store(e.Seq)
				l.add(i, checker.Event{Kind: checker.Deliver, Who: user, Seq: e.Seq, Epoch: e.Epoch, Author: e.User, ID: e.ID, Hash: checker.Hash(e.Content)})
			case sdk.RoomLink:
				l.link(i, user, l.heads[i].Load(), e)
			case sdk.Cut:
				l.add(i, checker.Event{Kind: checker.Cut, Who: user, Seq: e.At})
			}
		}
	}
}

// settle ends the conversation, reads the histories through a fresh client and
// holds all of it to the promises.
func (l *load) settle(routers []string) *checker.Report {
	l.t.Helper()
	l.stop()
	l.senders.Wait()
	fresh := connect(l.t, "", routers, 0)
	go func() {
		for range fresh.Events() { //nolint:revive // not needed
		}
	}()
	for i, room := range l.rooms {
		var last uint64
		for more := true; more; {
			ctx, cancel := context.WithTimeout(l.t.Context(), 15*time.Second)
			page, err := fresh.History(ctx, comms.History{Room: room, From: last + 1, Limit: comms.MaxPage})
			cancel()
			if err != nil {
				l.t.Errorf("history of #%s: %v", room, err)
				break
			}
			for _, r := range page.Records {
				l.add(i, checker.Event{Kind: checker.Final, Who: "fresh", Seq: r.Seq, Epoch: r.Epoch, Author: r.User, ID: r.ID, Hash: checker.Hash(r.Content)})
				last = r.Seq
			}
			more = page.More
		}
		for deadline := time.Now().Add(10 * time.Second); l.heads[i].Load() < last && time.Now().Before(deadline); {
			pass(l.t.Context(), 10*time.Millisecond)
		}
		l.add(i, checker.Event{Kind: checker.Read, Who: "fresh", Seq: last})
		l.add(i, checker.Event{Kind: checker.End, Who: fmt.Sprint("r", i)})
	}
	l.finish()
	l.readers.Wait()
	if err := l.log.Flush(); err != nil {
		l.t.Fatal(err)
	}
	report, err := checker.Check(bytes.NewReader(l.out.Bytes()), checker.Options{PartitionOf: membership.Partition, FewestMoves: -1})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := checker.Quote(bytes.NewReader(l.out.Bytes()), report.Breaches); err != nil {
		l.t.Error(err)
	}
	for _, b := range report.Breaches {
		l.t.Error(b)
	}
	l.t.Logf("%d rooms, %d sent, %d acknowledged, %d refused, %d unknown, %d delivered, %d moves, %d disconnects, %d breaches",
		report.Rooms, report.Sent, report.Acked, report.Refused, report.Unknown, report.Delivered, report.Moves, report.Disconnects, report.Breached)
	return report
}

// counts is how many acknowledgements each room has had.
func (l *load) counts() []int64 {
	list := make([]int64, len(l.acks))
	for i := range l.acks {
		list[i] = l.acks[i].Load()
	}
	return list
}

// awaitAll waits until every room has an acknowledgement that came after now,
// of a message that was due after now, and returns how long that took.
func (l *load) awaitAll(most time.Duration) time.Duration {
	l.t.Helper()
	start := time.Now()
	before := l.counts()
	for {
		silent := 0
		for i, n := range l.counts() {
			if n <= before[i]+writersOfRoom {
				silent++
			}
		}
		took := time.Since(start)
		if silent == 0 {
			return took
		}
		if took > most {
			l.t.Errorf("%d rooms acknowledge nothing after %s", silent, took)
			return took
		}
		pass(l.t.Context(), 10*time.Millisecond)
	}
}

// fault notes a nemesis; call the function it returns when it is over.
func (l *load) fault(name, target string) (over func()) {
	l.t.Logf("%6.2f s: %s %s", time.Since(l.start).Seconds(), name, target)
	l.log.Add(checker.Event{Kind: checker.Fault, Who: name, Code: target})
	return func() {
		l.t.Logf("%6.2f s: %s is over", time.Since(l.start).Seconds(), name)
		l.log.Add(checker.Event{Kind: checker.Heal, Who: name})
	}
}
