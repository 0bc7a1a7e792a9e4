// Package fanout delivers one encoded event to many sessions: a byte log (ring)
// per room, a cursor per session and room, and a small pool of walkers that
// write each member the ring's tail. It knows nothing of rooms' meaning.
package fanout

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// Source gives a ring what it does not keep any more. Calls may block on disk.
type Source interface {
	// Records returns encoded events of the records behind after, in order, at
	// least one and about maxBytes, and the last sequence among them.
	Records(ctx context.Context, after uint64, maxBytes int) (events []byte, last uint64, err error)
	// Snapshot returns encoded events that stand for all notices so far (the
	// list of participants). Sent to a session that missed notices while behind.
	Snapshot() []byte
}

// PoolOptions configures a Pool.
type PoolOptions struct {
	Walkers      int           // 0 means GOMAXPROCS
	WriteTimeout time.Duration // a write without progress; 0 means comms' 60 s
	Logger       *slog.Logger
}

// Pool is the walkers and the catch-up readers of one shard.
type Pool struct{}

// NewPool makes a Pool.
func NewPool(opts PoolOptions) *Pool { panic("contract") }

// Run walks until ctx ends; it returns after everything it started has ended.
func (p *Pool) Run(ctx context.Context) error { panic("contract") }

// Ring is a room's recent encoded events.
type Ring struct{}

// NewRing makes a ring whose newest record is head. A room without sessions and ring bytes costs little; drop it freely.
func (p *Pool) NewRing(head uint64, src Source) *Ring { panic("contract") }

// Append publishes the encoded event of record seq (always head+1). The bytes are copied.
func (r *Ring) Append(seq uint64, event []byte) { panic("contract") }

// Notice publishes an event without a sequence (presence). The bytes are copied.
func (r *Ring) Notice(event []byte) { panic("contract") }

// Wake lets walkers write what was appended since the last Wake. Called once per commit.
func (r *Ring) Wake() { panic("contract") }

// Head is the newest sequence appended.
func (r *Ring) Head() uint64 { panic("contract") }

// Members is the number of attached outlets.
func (r *Ring) Members() int { panic("contract") }

// Outlet is the outgoing half of one connection.
type Outlet struct{}

// NewOutlet makes the outgoing half of nc. closed is called once, from a
// goroutine of the pool's, when a write failed or made no progress.
func (p *Pool) NewOutlet(nc net.Conn, closed func(error)) *Outlet { panic("contract") }

// Send queues a direct event (a reply, a notice to this session alone) behind
// everything queued before. It never blocks; the bytes are copied.
func (o *Outlet) Send(event []byte) { panic("contract") }

// Wait blocks while more than 256 KiB of direct events are unwritten, so that
// a reader stops reading commands of a peer that does not read replies.
func (o *Outlet) Wait(ctx context.Context) error { panic("contract") }

// Attach adds the ring to the outlet: first reply is queued as by Send, then
// every record behind after follows in order, from the ring or from its Source.
// A cursor per attached ring; attaching a ring twice replaces the cursor.
func (o *Outlet) Attach(r *Ring, after uint64, reply []byte) { panic("contract") }

// Detach takes the ring off: nothing of it is written after what reply, queued now, says.
func (o *Outlet) Detach(r *Ring, reply []byte) { panic("contract") }

// Close writes goodbye (may be nil) if the peer still reads, within grace, then closes the connection.
func (o *Outlet) Close(goodbye []byte, grace time.Duration) { panic("contract") }
