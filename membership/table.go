package membership

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Table is an immutable snapshot partition -> owner, built from the live,
// non-draining shards. All members with the same list have the same Table.
type Table struct {
	owners  []int32 // index into shards; empty without shards
	shards  []Member
	version uint64
}

// Partition is the partition of a room name.
func Partition(room string) int { return int(xxhash.Sum64String(room) % Partitions) }

// NewTable builds the table of shards: of several boots of one name the newest
// counts, and of more than Partitions names the first serve. The ring is built
// afresh, never changed, so that a table depends on its members alone.
func NewTable(shards []Member) *Table {
	shards = slices.Clone(shards)
	slices.SortFunc(shards, func(a, b Member) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(b.Boot, a.Boot)
	})
	shards = slices.CompactFunc(shards, func(a, b Member) bool { return a.Name == b.Name })
	if len(shards) > Partitions {
		shards = shards[:Partitions]
	}
	t := &Table{shards: shards, version: constantsHash()}
	digest := xxhash.New()
	for _, s := range shards {
		digest.WriteString(s.Name) //nolint:errcheck // never fails
		digest.Write([]byte{0})    //nolint:errcheck // likewise
	}
	t.version ^= digest.Sum64()
	if len(shards) == 0 {
		return t
	}
	t.owners = place(shards, Partitions)
	return t
}

func constantsHash() uint64 {
	var b [20]byte
	binary.BigEndian.PutUint64(b[:], Partitions)
	binary.BigEndian.PutUint64(b[8:], ReplicationFactor)
	load := LoadFactor * 100
	binary.BigEndian.PutUint32(b[16:], uint32(load))
	return xxhash.Sum64(b[:])
}

// Owner returns the shard that should own partition; false if there is no shard.
func (t *Table) Owner(partition int) (Member, bool) {
	if partition < 0 || partition >= len(t.owners) {
		return Member{}, false
	}
	return t.shards[t.owners[partition]], true
}

// Version is a hash of the members (by stable name) and the constants.
func (t *Table) Version() uint64 { return t.version }

// Shards returns the members of the table, sorted by stable name.
func (t *Table) Shards() []Member { return slices.Clone(t.shards) }
