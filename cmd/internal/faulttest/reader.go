package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// reader follows a room from its first record on. A slow one now and then stops
// reading for a while; a restless one drops its connection every few seconds.
type reader struct {
	load       *Load
	room, user string
	rand       *rand.Rand
	slow       bool
	restless   bool
	last       comms.Position
}

// delivered writes down one record.
func (r *reader) delivered(rec comms.Record) {
	r.load.log.Add(checker.Event{
		Kind: checker.Deliver, Room: r.room, Who: r.user, Seq: rec.Seq, Epoch: rec.Epoch, Author: rec.User, ID: rec.ID, Hash: checker.Hash(rec.Content),
	})
	r.last = comms.Position{Seq: rec.Seq, Epoch: rec.Epoch}
	r.load.reached(r.room, r.user, rec.Seq)
	if r.slow && r.rand.IntN(40) == 0 {
		pass(r.load.talking, time.Duration(r.rand.IntN(1500))*time.Millisecond)
	}
}

func (r *reader) restlessAfter() <-chan time.Time {
	if !r.restless {
		return nil
	}
	return time.After(time.Second + time.Duration(r.rand.IntN(2000))*time.Millisecond)
}

// runSession reads with the SDK until ctx ends. in hears once that it is in the room.
func (r *reader) runSession(ctx context.Context, in chan<- error) {
	for first := true; ctx.Err() == nil; first = false {
		s, err := r.load.connect(ctx, r.user)
		if err != nil {
			if first {
				in <- err
				return
			}
			r.load.logf("%s comes again: %v", r.user, err)
			continue
		}
		r.follow(ctx, s, in)
		s.Close() //nolint:errcheck // never fails
		in = nil
	}
}

func (r *reader) follow(ctx context.Context, s *client.Session, in chan<- error) {
	joining, stop := context.WithCancel(ctx)
	defer stop()
	joined := make(chan error, 1)
	after := r.last
	go func() { joined <- s.Join(joining, r.room, &after) }()
	defer func() {
		stop()
		if joined != nil {
			<-joined
		}
	}()
	present := false
	defer func() {
		if present {
			r.load.came(r.room, r.user, -1)
		}
	}()
	again := r.restlessAfter()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-joined:
			joined = nil
			if in != nil {
				in <- err
			}
			if err != nil {
				if ctx.Err() == nil {
					r.load.fail("%s: join #%s: %w", r.user, r.room, err)
				}
				return
			}
			present = true
			r.load.came(r.room, r.user, 1)
			r.load.reached(r.room, r.user, r.last.Seq)
		case <-again:
			if r.load.talking.Err() != nil {
				again = nil // everybody stays for the end
				continue
			}
			r.load.log.Add(checker.Event{Kind: checker.Disconnect, Room: r.room, Who: r.user, Code: "restless"})
			return
		case e, ok := <-s.Events():
			if !ok {
				return
			}
			switch e := e.(type) {
			case client.Message:
				r.delivered(e.Record)
			case client.RoomLink:
				r.load.link(e, r.room, r.user, r.last.Seq)
			case client.Cut:
				r.load.log.Add(checker.Event{Kind: checker.Cut, Room: r.room, Who: r.user, Seq: e.At})
			}
		}
	}
}

// errMoved sends a bare reader to another shard.
type errMoved struct {
	addr string
	wait time.Duration
}

func (e errMoved) Error() string { return "the room is served at " + e.addr }

// runBare reads without the SDK, which would mend a hole or a double by itself:
// every frame of the shard's is written down as it came.
func (r *reader) runBare(ctx context.Context, in chan<- error) {
	addr := ""
	for ctx.Err() == nil {
		err := r.bare(ctx, addr, func() {
			if in != nil {
				in <- nil
				in = nil
			}
		})
		if ctx.Err() != nil {
			return
		}
		var moved errMoved
		if addr = ""; errors.As(err, &moved) {
			addr = moved.addr
			r.load.log.Add(checker.Event{Kind: checker.Redirect, Room: r.room, Who: r.user, Owner: addr})
			pass(ctx, moved.wait)
			continue
		}
		r.load.log.Add(checker.Event{Kind: checker.Disconnect, Room: r.room, Who: r.user, Code: fmt.Sprint(err)})
		pass(ctx, 50*time.Millisecond+time.Duration(r.rand.IntN(100))*time.Millisecond)
	}
}
