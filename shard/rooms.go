package shard

import (
	"context"
	"errors"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/ownership"
)

// rooms is the Server as ownership sees it.
type rooms Server

var _ ownership.Rooms = (*rooms)(nil)

func (r *rooms) server() *Server { return (*Server)(r) }

// Announce tells the sessions that the partition will soon move.
func (r *rooms) Announce(partition int, to membership.Member) {
	p := r.server().held(partition)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	moving := map[*session][]string{}
	for name, room := range p.rooms {
		for sess := range room.members {
			moving[sess] = append(moving[sess], name)
		}
	}
	for sess, names := range moving {
		sess.send(comms.RoomMoving{Partition: partition, Rooms: names, Shard: to.Name, Addr: to.Client})
	}
}

// errResolving: what is in the log of the commit in flight is not known yet.
var errResolving = errors.New("the fate of an append is not known")

// Stop stops accepting, waits for the commit in flight and returns the hand-over.
func (r *rooms) Stop(ctx context.Context, partition int) ([]byte, error) {
	p := r.server().held(partition)
	if p == nil {
		return nil, nil // held and never used since
	}
	// A seed under way would append after the release otherwise.
	if err := p.turn(ctx); err != nil {
		return nil, err
	}
	defer p.giveTurn()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == nil {
		p.gate = make(chan struct{})
	}
	// A log that does not answer must not hold up a drain without bound.
	unblock := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.idle.Broadcast()
	})
	defer unblock()
	for p.committing && !p.resolving && ctx.Err() == nil {
		p.idle.Wait()
	}
	if p.resolving {
		return nil, errResolving // the move is tried again
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return p.handOver(time.Now()), ctx.Err()
}

// Resume accepts again after Stop.
func (r *rooms) Resume(partition int) {
	p := r.server().held(partition)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
	p.resumeLocked()
}

// Released sends the sessions on after a release.
func (r *rooms) Released(partition int, epoch uint64, where ownership.Where) {
	r.drop(partition, epoch, where)
}

// Lost sends the sessions on after the partition was taken from us.
func (r *rooms) Lost(partition int, epoch uint64, where ownership.Where) {
	r.drop(partition, epoch, where)
}

func (r *rooms) drop(partition int, epoch uint64, where ownership.Where) {
	s := r.server()
	s.mu.Lock()
	p := s.parts[partition]
	if p == nil || p.first > epoch {
		s.mu.Unlock()
		return
	}
	delete(s.parts, partition)
	s.mu.Unlock()
	p.end(where)
}

// Load tells how busy a partition is.
func (r *rooms) Load(partition int) (sessions, heard int) {
	p := r.server().held(partition)
	if p == nil {
		return 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.heard) < heardWithin {
		heard++
	}
	for _, room := range p.rooms {
		sessions += len(room.members)
		for sess := range room.members {
			if now.Sub(sess.heardAt()) < heardWithin {
				heard++
			}
		}
	}
	return sessions, heard
}
