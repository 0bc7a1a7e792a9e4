// Package roomlog is the contract of the room log: the durable records of all
// rooms, the owner record of every partition, and the roll of the processes
// that live. It decides who owns a partition; gossip only says who should.
//
// It is not a client of the network and knows nothing of sessions. One folder
// below holds each implementation, roomlogtest the suite that all must pass.
package roomlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The four answers to a write are nil (it is in), ErrFenced, ErrRefused and
// ErrUnknown; implementations wrap them with the cause.
var (
	// ErrFenced: the partition's epoch is not the writer's any more. Nothing entered.
	ErrFenced = errors.New("fenced: the partition has another owner")
	// ErrRefused: certainly not in (disk full, busy, too large). May be tried again.
	ErrRefused = errors.New("refused by the room log")
	// ErrUnknown: may or may not be in. The owner acquires again and reads the
	// heads before it numbers or answers anything.
	ErrUnknown = errors.New("the room log did not answer: outcome unknown")

	ErrConflict   = errors.New("the owner record has changed")      // Acquire: compare-and-set lost
	ErrNoRoom     = errors.New("no such room")                      // Head, Read, ReadBack
	ErrRoomExists = errors.New("the room exists")                   // Append of KindCreated
	ErrNameTaken  = errors.New("the name is taken by a newer boot") // Beat: another, newer boot has the name
)

// Kind says what a record is. Unknown kinds are kept and skipped.
type Kind uint8

// Kinds written today. Numbers are stored: append-only.
const (
	KindCreated Kind = 0 // creation, sequence 0; Content is the description
	KindMessage Kind = 1
	KindTopic   Kind = 2 // Content is the new description
)

// Record is one entry of a room.
type Record struct {
	Room    string
	Seq     uint64 // 1, 2, 3 ... within the room, whatever the kind; creation is 0
	Epoch   uint64 // of the ownership that wrote it; set by Append
	Kind    Kind
	User    string // author
	ID      string // client message id
	Time    int64  // owner's clock, Unix milliseconds
	Content string
}

// RoomInfo is a room as listed.
type RoomInfo struct {
	Name        string
	Description string // of the newest topic record, else of the creation
}

// Position is the newest record of a room.
type Position struct {
	Seq   uint64
	Epoch uint64
}

// Process identifies one member process's life. Several members may share one
// operating system process (px up).
type Process struct {
	Name   string    `json:"name"` // stable name
	Boot   string    `json:"boot"` // sorts by start time
	Role   string    `json:"role"` // "shard" or "router"
	Client string    `json:"client"`
	OS     OSProcess `json:"os"`
	Alone  bool      `json:"alone"` // the operating system process runs shards alone: it may be ended by force
}

// OSProcess names an operating system process beyond reuse of its number. Zero
// fields mean not known; two are comparable only if Kernel and PIDNS are equal
// and known.
type OSProcess struct {
	Kernel string `json:"kernel"` // boot id of the kernel
	PIDNS  string `json:"pidns"`  // PID namespace
	PID    int    `json:"pid"`
	Start  uint64 `json:"start"` // start time in clock ticks since the kernel's boot
}

// Entry is a line of the roll.
type Entry struct {
	Process
	Beat  uint64 `json:"beat"`            // changes with every heartbeat
	Wants []int  `json:"wants,omitempty"` // partitions whose living holder this process cannot reach
}

// Owner is a partition's owner record. The zero Owner (epoch 0) is that of a
// partition never used.
type Owner struct {
	Epoch    uint64
	Name     string // stable name of the holder
	Boot     string // boot id of the holder
	Addr     string // client address of the holder
	Released bool   // given up; Next* and Handover are then set by the last holder
	NextName string // stable name of the shard that agreed to take it; may be empty
	NextAddr string
	Handover []byte // opaque to the log; of the epoch that released, at most 256 KiB
}

// Release says how a partition is given up.
type Release struct {
	NextName string
	NextAddr string
	Handover []byte
}

// BlockedError says that a write cannot go on because a process stopped inside
// its own transaction on the partition, or not even a read since it stopped
// while it put the file right after a crash. It wraps ErrRefused.
type BlockedError struct {
	Partition int
	OS        OSProcess     // the process that holds the lock; zero if it cannot be known
	For       time.Duration // how long the same holder has been seen holding it
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("partition %d: write lock held by process %d for %s", e.Partition, e.OS.PID, e.For)
}

func (e *BlockedError) Unwrap() error { return ErrRefused }

// Log is one process's access to the room log. All methods are safe for
// concurrent use; writes of one partition come from its owner's one committer.
// Every call returns soon: it never waits without bound for another process.
type Log interface {
	// Identity names this log for ever; members of a cluster must agree on it.
	Identity() string

	// Register puts p on the roll under its boot id. It does not look at other
	// boots of the name: the caller decides with Entries, before and after.
	Register(ctx context.Context, p Process) error
	// Beat renews the entry of boot and states what it wants. ErrNameTaken if
	// the roll has a newer boot under the same stable name. It returns the roll
	// as it read it for that: Entries, of a moment within the call.
	Beat(ctx context.Context, boot string, wants []int) ([]Entry, error)
	// Strike removes the entry of boot.
	Strike(ctx context.Context, boot string) error
	// Entries reads the whole roll. Damaged or foreign entries are skipped.
	Entries(ctx context.Context) ([]Entry, error)

	// Owner reads a partition's owner record (zero if never used). It does not
	// create anything.
	Owner(ctx context.Context, partition int) (Owner, error)
	// Acquire makes `to` the holder under epoch from.Epoch+1 if the record
	// still equals `from` in Epoch, Boot and Released; ErrConflict otherwise.
	// The write is synced to disk before it returns. To.Epoch and the release
	// fields of `to` are ignored. A *BlockedError names who is in the way.
	Acquire(ctx context.Context, partition int, from, to Owner) (Owner, error)
	// Release gives the partition up if it is still held under epoch.
	Release(ctx context.Context, partition int, epoch uint64, r Release) error
	// Append stores all records in one transaction, or none, if the partition
	// is held under epoch. The caller numbers; KindCreated makes its room.
	Append(ctx context.Context, partition int, epoch uint64, records []Record) error

	// Head returns the newest position of a room and its description. ErrNoRoom.
	Head(ctx context.Context, partition int, room string) (Position, RoomInfo, error)
	// Read returns records with Seq >= from in ascending order, at most limit
	// of them and about maxBytes of content (at least one record if there is one).
	Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) ([]Record, error)
	// ReadBack returns the newest records with Seq < before, in ascending order.
	ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) ([]Record, error)
	// Rooms lists rooms by name, those behind after. No ownership needed; a
	// partition never used has none.
	Rooms(ctx context.Context, partition int, after string, limit int) ([]RoomInfo, error)

	// CloseIdle lets go of what the log keeps open for a partition (files,
	// connections). It is reopened at next use.
	CloseIdle(partition int)
	// Close lets go of everything. It waits for calls under way.
	Close() error
}

// Forcer is implemented by logs that can end a process stopped inside its
// transaction. The caller has made sure that every member in that process is
// gone and that it runs shards alone.
type Forcer interface {
	// End ends the process that b names, if it still is that process and still
	// holds the lock, and returns once the lock is free.
	End(ctx context.Context, b *BlockedError) error
}
