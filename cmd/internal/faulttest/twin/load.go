package twin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// user is one of the driver's people: the client SDK on a host of its own,
// which writes down what it is told.
type user struct {
	cluster *cluster
	name    string
	writes  bool // its rooms' streams are its acknowledgements
	host    *host
	rng     *rand.Rand

	mu      sync.Mutex
	session *client.Session
	reading sync.WaitGroup
	at      map[string]comms.Position // last record of each room
	waiting map[string]int            // messages without an answer, by room
	failed  error
}

func (c *cluster) user(name string, writes bool, n int) *user {
	return &user{
		cluster: c, name: name, writes: writes, host: c.network.host(""), rng: rand.New(rand.NewPCG(c.seed, 1000+uint64(n))),
		at: map[string]comms.Position{}, waiting: map[string]int{},
	}
}

// enter connects and joins the rooms; who comes again goes on behind what it had.
func (u *user) enter(ctx context.Context, rooms ...string) error {
	var at []string
	for i := range routers {
		at = append(at, u.cluster.current[fmt.Sprint("r", i+1)].addr())
	}
	s, err := client.Connect(ctx, client.Options{Routers: at, User: u.name, Dial: u.host.Dial, Logger: u.cluster.logger.With("user", u.name)})
	if err != nil {
		return fmt.Errorf("%s: %w", u.name, err)
	}
	u.mu.Lock()
	u.session = s
	u.mu.Unlock()
	u.reading.Go(func() { u.read(s) })
	for _, room := range rooms {
		var after *comms.Position
		u.mu.Lock()
		if last, ok := u.at[room]; ok {
			after = &last
		}
		u.mu.Unlock()
		if err := s.Join(ctx, room, after); err != nil {
			return fmt.Errorf("%s joins %s: %w", u.name, room, err)
		}
	}
	return nil
}

// leave ends the session and waits for everything it said.
func (u *user) leave() {
	u.mu.Lock()
	s := u.session
	u.session = nil
	u.mu.Unlock()
	if s != nil {
		s.Close() //nolint:errcheck // never fails
		u.reading.Wait()
	}
}

// read writes down what a session says.
func (u *user) read(s *client.Session) {
	for e := range s.Events() {
		u.note(e)
	}
}

func (u *user) note(e client.Event) {
	h := &u.cluster.history
	u.mu.Lock()
	defer u.mu.Unlock()
	switch e := e.(type) {
	case client.Joined:
		if _, again := u.at[e.Room]; !again {
			u.at[e.Room] = e.Head
		}
	case client.Message:
		if u.writes {
			if e.Mine {
				u.waiting[e.Room]--
				h.add(checker.Event{Kind: checker.Ack, Room: e.Room, Who: u.name, ID: e.ID, Seq: e.Seq, Epoch: e.Epoch, Hash: checker.Hash(e.Content)})
			}
			return
		}
		u.at[e.Room] = comms.Position{Seq: e.Seq, Epoch: e.Epoch}
		h.add(checker.Event{Kind: checker.Deliver, Room: e.Room, Who: u.name, ID: e.ID, Seq: e.Seq, Epoch: e.Epoch, Author: e.User, Hash: checker.Hash(e.Content)})
	case client.Cut:
		h.add(checker.Event{Kind: checker.Cut, Room: e.Room, Who: u.name, Seq: e.At})
	case client.SendFailed:
		u.waiting[e.Room]--
		var refused *client.RefusedError
		code := "?"
		if errors.As(e.Err, &refused) {
			code = refused.Code
		}
		h.add(checker.Event{Kind: checker.Error, Room: e.Room, Who: u.name, ID: e.ID, Code: code})
		u.failed = fmt.Errorf("%s: a message in %s was refused for good: %w", u.name, e.Room, e.Err)
	case client.Left:
		u.failed = fmt.Errorf("%s was put out of %s", u.name, e.Room)
	case client.RoomLink:
		switch e.State {
		case client.LinkUp:
			h.add(checker.Event{Kind: checker.Joined, Room: e.Room, Who: u.name, Seq: u.at[e.Room].Seq, Epoch: e.Epoch, Owner: e.Shard + "/" + e.Addr})
		case client.LinkReconnecting:
			h.add(checker.Event{Kind: checker.Disconnect, Room: e.Room, Who: u.name})
		}
	}
}

// write posts in a room until ctx ends, in open loop.
func (u *user) write(ctx context.Context, room string, every time.Duration) {
	for n := 0; pause(ctx, every/2+time.Duration(u.rng.Int64N(int64(every)))) == nil; n++ {
		u.post(room, fmt.Sprintf("%s %s %d %x", room, u.name, n, u.rng.Uint64()))
	}
}

// post sends one message. Nothing of it goes out before it is written down:
// no time passes between, and the network takes some.
func (u *user) post(room, content string) {
	u.mu.Lock()
	s := u.session
	u.mu.Unlock()
	id, err := s.Post(room, content)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.failed = fmt.Errorf("%s cannot post in %s: %w", u.name, room, err)
		return
	}
	u.waiting[room]++
	u.cluster.history.add(checker.Event{Kind: checker.Send, Room: room, Who: u.name, ID: id, Hash: checker.Hash(content)})
}

// unanswered is how many messages have no answer yet.
func (u *user) unanswered() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, w := range u.waiting {
		n += w
	}
	return n
}

// has tells whether a reader has a room's records up to seq.
func (u *user) has(room string, seq uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, in := u.at[room]
	return !in || at.Seq >= seq
}

// comeAndGo is a reader that ends its session at random and comes again, until
// ctx ends; it is there in the end.
func (u *user) comeAndGo(ctx context.Context, rooms ...string) {
	for pause(ctx, time.Second+time.Duration(u.rng.Int64N(int64(3*time.Second)))) == nil {
		u.leave()
		pause(ctx, time.Duration(u.rng.Int64N(int64(time.Second)))) //nolint:errcheck // it comes again either way
		trying, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := u.enter(trying, rooms...)
		cancel()
		if err != nil {
			u.mu.Lock()
			u.failed = err
			u.mu.Unlock()
			return
		}
	}
}
