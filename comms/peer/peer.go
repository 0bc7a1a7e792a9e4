// Package peer is the member's side of a shard's client port: one standing
// connection per shard, over which a member asks (yield, offer, status, rooms)
// and which, by breaking, tells that the shard is gone.
package peer

import (
	"context"
	"errors"

	"positivity-exchange/comms"
)

// ErrOtherBoot: a shard answered under another boot id than the one meant.
var ErrOtherBoot = errors.New("another boot answers at this address")

// Pool keeps one connection per address. Safe for concurrent use.
type Pool struct{}

// NewPool makes a pool for the member name/boot.
func NewPool(keys comms.Keys, name, boot string) *Pool { panic("contract") }

// Link opens (or shares) the connection to addr and checks that boot answers ("" means any).
// The result's Done is closed when the connection broke.
func (p *Pool) Link(ctx context.Context, addr, boot string) (*Conn, error) { panic("contract") }

// Call asks over the connection to addr (opened if needed) and returns the
// answer; a comms.Error answer becomes a *comms.Error error. At most one
// request of one kind and partition is under way; others wait.
func (p *Pool) Call(ctx context.Context, addr string, cmd comms.Command) (comms.Event, error) {
	panic("contract")
}

// Watch sends WatchRooms on the connection to addr and calls report for every
// RoomReport until ctx ends or the connection breaks; it returns then.
func (p *Pool) Watch(ctx context.Context, addr string, report func(comms.RoomReport)) error {
	panic("contract")
}

// Close closes all connections and waits for what the pool started.
func (p *Pool) Close() error { panic("contract") }

// Conn is one standing connection.
type Conn struct{}

// Boot is the boot id that answered.
func (c *Conn) Boot() string { panic("contract") }

// Done is closed when the connection broke.
func (c *Conn) Done() <-chan struct{} { panic("contract") }

// Close gives this reference up.
func (c *Conn) Close() error { panic("contract") }
