package membership

import (
	"context"
	"log/slog"
)

// Table is an immutable snapshot partition -> owner, built from the live,
// non-draining shards. All members with the same list have the same Table.
type Table struct{}

// Partition is the partition of a room name.
func Partition(room string) int { panic("contract") }

// Owner returns the shard that should own partition; false if there is no shard.
func (t *Table) Owner(partition int) (Member, bool) { panic("contract") }

// Version is a hash of the members (by stable name) and the constants.
func (t *Table) Version() uint64 { panic("contract") }

// Shards returns the members of the table, sorted by stable name.
func (t *Table) Shards() []Member { panic("contract") }

// Link is a standing connection to a shard's client port. Done is closed when it broke.
type Link interface {
	Done() <-chan struct{}
	Close() error
}

// Linker dials shards as a member. An error that wraps syscall.ECONNREFUSED
// means nobody listens there; ErrOtherBoot that another boot answered.
type Linker interface {
	Link(ctx context.Context, addr, boot string) (Link, error)
}

// Options configures a Cluster. Zero values are usable but for Listener-less fields marked needed.
type Options struct {
	Cluster    string       // gossip label, "px" when empty
	Name       string       // needed: stable name
	Role       Role         // needed
	Client     string       // needed: advertised client address
	Bind       string       // gossip host:port to listen on; port 0 means any; "" means 127.0.0.1:7946 or the next free
	Advertise  string       // gossip host (or host:port) to be reached at, if other than Bind
	Join       []string     // gossip addresses of seeds
	Dir        string       // shared data directory for discovery (members/<gossip name>); "" means none
	Secret     []byte       // 32 bytes; nil: no encryption (loopback tests only)
	LogID      string       // identity of the room log; "" for members without one is not compared
	Linker     Linker       // nil: no member connections
	Logger     *slog.Logger // nil: discards
	Partitions int          // 0 means Partitions; tests of refusal only
}

// Cluster is this process's membership. Make it with New, start it with Run.
type Cluster struct{}

// New binds the gossip sockets (so that Self has its addresses) but does not gossip yet.
func New(opts Options) (*Cluster, error) { panic("contract") }

// Run gossips until ctx ends or Leave is called, and returns after everything it started has ended.
// It returns an error if the cluster refuses this member (constants or log differ, with both values).
func (c *Cluster) Run(ctx context.Context) error { panic("contract") }

// Ready is closed after the first full exchange, or once nobody else was found.
func (c *Cluster) Ready() <-chan struct{} { panic("contract") }

// Self is this member as it presents itself now. Starts in StateJoining.
func (c *Cluster) Self() Member { panic("contract") }

// Table is the current table, never nil.
func (c *Cluster) Table() *Table { panic("contract") }

// Members lists all live members, this one included, sorted by name.
func (c *Cluster) Members() []Member { panic("contract") }

// Watch returns a one-slot channel marked after every change of members or table.
func (c *Cluster) Watch() (changed <-chan struct{}, stop func()) { panic("contract") }

// Alive reports whether the boot lives in this member's own view: known to
// gossip, not left, not cut, not refused by its client port.
func (c *Cluster) Alive(boot string) bool { panic("contract") }

// SetState changes what this member says of itself and gossips it.
func (c *Cluster) SetState(s State) { panic("contract") }

// SetCut says that this member cannot (or can again) reach the room log.
func (c *Cluster) SetCut(cut bool) { panic("contract") }

// Leave tells the cluster, stays two gossip rounds, and ends Run.
func (c *Cluster) Leave(ctx context.Context) error { panic("contract") }

// NewBoot makes a boot id that sorts by start time: 13 digits of Unix milliseconds, '-', 8 hexadecimal.
func NewBoot() string { panic("contract") }

// LoadSecret returns the cluster's 32-byte secret: from file if given, else
// from env (hexadecimal or base64), else from dir/secret, made (0600) by the
// first process there, safe against races. created tells that it was made now.
func LoadSecret(dir, file, env string) (secret []byte, created bool, err error) { panic("contract") }
