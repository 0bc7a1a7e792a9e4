package ownership

import (
	"context"
	"log/slog"
	"time"

	"positivity-exchange/shard/roomlog"
)

// CensusOptions configures a Census.
type CensusOptions struct {
	Logger *slog.Logger
	Alive  func(boot string) bool // gossip's view (membership.Cluster.Alive); needed
}

// Census keeps this process's entry on the roll and judges who is gone. Shards and routers have one each.
type Census struct{}

// NewCensus makes a Census for p on log.
func NewCensus(log roomlog.Log, p roomlog.Process, opts CensusOptions) *Census { panic("contract") }

// Enroll puts this process on the roll once no other living boot has its
// name; it waits up to 5 s for that and then returns an error naming who has it.
func (c *Census) Enroll(ctx context.Context) error { panic("contract") }

// Run beats every 500 ms and reads the roll each second until ctx ends.
// It returns an error wrapping roomlog.ErrNameTaken if this process is a zombie
// (a newer boot has its name): the caller must exit.
func (c *Census) Run(ctx context.Context) error { panic("contract") }

// Gone reports whether boot is gone: (a) not alive for gossip, and (b) silent
// on the roll as design says, not on it, or known to be no process any more.
func (c *Census) Gone(boot string) bool { panic("contract") }

// LastBeat is when the last successful heartbeat began; zero if none.
func (c *Census) LastBeat() time.Time { panic("contract") }

// Strike removes the entry; call it last.
func (c *Census) Strike(ctx context.Context) error { panic("contract") }

// Options configures a Keeper. Zero values mean the design's figures.
type Options struct {
	Logger       *slog.Logger
	NoFenceKill  bool          // never end a process by force
	DrainTimeout time.Duration // 0 means 8 s
}

// Keeper decides which partitions this shard holds: it acquires at first use,
// yields, moves, releases and learns of being deposed.
type Keeper struct{}

// NewKeeper makes a Keeper. Nothing runs before Run.
func NewKeeper(log roomlog.Log, census *Census, gossip Gossip, peers Peers, rooms Rooms, opts Options) *Keeper {
	panic("contract")
}

// Run re-reads owner records each second, moves partitions away that the table
// gives to others, serves wants. It returns after everything it started ended.
func (k *Keeper) Run(ctx context.Context) error { panic("contract") }

// Hold returns the holding of partition, acquiring it at first use. When it is
// held already and the last heartbeat is fresh (1 s) this is a lock-free look-up;
// when the heartbeat is older the owner record is read again first. Errors:
// *RedirectError, ErrNotReady, or one wrapping roomlog.ErrRefused.
func (k *Keeper) Hold(ctx context.Context, partition int) (Holding, error) { panic("contract") }

// Fresh reports whether the holding may answer without reading the owner
// record again. Walkers and sequencers call it on the hot path: no lock, no allocation.
func (k *Keeper) Fresh(partition int, epoch uint64) bool { panic("contract") }

// Recheck reads the owner record again soon: a client knows a later sequence.
func (k *Keeper) Recheck(partition int) { panic("contract") }

// Fenced tells that an append under epoch was fenced. Rooms.Lost follows.
func (k *Keeper) Fenced(partition int, epoch uint64) { panic("contract") }

// Reacquire follows an append of unknown outcome: it acquires from itself, so
// that a late write of the old epoch cannot enter. The caller then reads the heads again.
func (k *Keeper) Reacquire(ctx context.Context, partition int, epoch uint64) (Holding, error) {
	panic("contract")
}

// Yield answers a shard that asks for partition. The answer is one of comms.Yield*.
func (k *Keeper) Yield(ctx context.Context, partition int, name, boot string) string {
	panic("contract")
}

// Offered answers a shard that asks whether this one would take partition.
func (k *Keeper) Offered(partition int, draining bool) bool { panic("contract") }

// Where answers who serves partition, from the owner record, else from the table.
func (k *Keeper) Where(ctx context.Context, partition int) (Where, error) { panic("contract") }

// Held lists what is held now.
func (k *Keeper) Held() []Holding { panic("contract") }

// Drain gives everything up, announced and paced until the deadline, then at
// once. progress is called with the number still held after each change.
func (k *Keeper) Drain(ctx context.Context, progress func(held int)) error { panic("contract") }
