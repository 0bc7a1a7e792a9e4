package ownership

import (
	"context"
	"errors"
	"sync/atomic"

	"positivity-exchange/membership"
)

// Gossip is what a Keeper needs of the cluster. *membership.Cluster has it.
type Gossip interface {
	Self() membership.Member
	Table() *membership.Table
	Members() []membership.Member
	// Watch returns a channel of one slot that is marked after every change of members or table.
	Watch() (changed <-chan struct{}, stop func())
	// Alive reports whether this boot lives in this member's own view: known to
	// gossip, not left, not cut, its client port not refused.
	Alive(boot string) bool
	SetState(membership.State)
	SetCut(bool)
}

// Peers asks other shards over the member connections.
type Peers interface {
	// Yield asks the holder at addr to give partition up. The answer is one of comms.Yield*.
	Yield(ctx context.Context, addr string, partition int) (answer string, err error)
	// Offer asks whether the shard at addr would take partition.
	Offer(ctx context.Context, addr string, partition int, draining bool) (bool, error)
}

// Rooms is the serving side: it holds the rooms of the partitions that the
// Keeper owns. The Keeper calls it from its own goroutines, never holding a lock.
type Rooms interface {
	// Announce tells the sessions of partition that it will soon move to `to`.
	Announce(partition int, to membership.Member)
	// Stop stops accepting for partition, waits for the commit in flight, and
	// returns the hand-over. Commands that arrive from now on
	// wait until Released, Resume or Lost.
	Stop(ctx context.Context, partition int) (handover []byte, err error)
	// Resume accepts again after Stop: the release did not go through and the partition is still owned.
	Resume(partition int)
	// Released tells the sessions that partition is served by whom `where` says
	// (its Addr may be empty: ask a router) and forgets its rooms.
	Released(partition int, epoch uint64, where Where)
	// Lost is Released for an owner that was deposed: nothing that is not in
	// the log may be answered any more.
	Lost(partition int, epoch uint64, where Where)
	// Load tells how busy partition is: sessions in its rooms, and how many
	// were heard within the last second, those that have left since included.
	Load(partition int) (sessions, heard int)
}

// Where is an answer to "who serves this partition", quoted from the owner
// record or guessed.
type Where struct {
	Name  string // stable name
	Addr  string // client address; empty: nobody known
	Epoch uint64 // 0: a guess
}

// RedirectError is returned by Acquire when somebody else serves, or should serve, the partition.
type RedirectError struct {
	Where Where
}

func (e *RedirectError) Error() string { return "partition is served by " + e.Where.Name }

// ErrNotReady means that nobody serves the partition just now and this shard
// could not take it yet; the client should come again after about 200 ms.
var ErrNotReady = errors.New("partition is being taken over")

// Holding is an ownership. Valid until Rooms.Released or Rooms.Lost for its epoch.
type Holding struct {
	Partition int
	Epoch     uint64
	Handover  *Handover // of the directly preceding epoch, if that one was released with one
	Crashed   bool      // the preceding holder did not release: presence starts with a silent grace
}

// Handover is what the preceding holder left. It may be large, and is kept only
// until somebody takes it.
type Handover struct{ left atomic.Pointer[[]byte] }

// NewHandover holds b.
func NewHandover(b []byte) *Handover {
	h := &Handover{}
	h.left.Store(&b)
	return h
}

// Take returns what was left; nil if there is nothing, or another has taken it.
func (h *Handover) Take() []byte {
	if h == nil {
		return nil
	}
	if b := h.left.Swap(nil); b != nil {
		return *b
	}
	return nil
}
