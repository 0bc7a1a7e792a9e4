package membership

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/buraksezer/consistent"
	"github.com/cespare/xxhash/v2"
)

// libraryShards is up to how many shards a table is built by the library:
// it sorts the whole ring once for every member it adds, 6 ms for 20 shards,
// 97 ms for 100 and 1.2 s for 250, at each change and on each member.
const libraryShards = 64

// place gives each partition its owner, an index into shards: consistent
// hashing with bounded loads. Shards are sorted by name, names are distinct, and
// there are 1 to partitions of them, so that somebody always has room.
func place(shards []Member, partitions int) []int32 {
	if len(shards) <= libraryShards {
		return placeByLibrary(shards, partitions)
	}
	return placeAtOnce(shards, partitions)
}

type hasher struct{}

func (hasher) Sum64(b []byte) uint64 { return xxhash.Sum64(b) }

type ringMember string

func (m ringMember) String() string { return string(m) }

func placeByLibrary(shards []Member, partitions int) []int32 {
	index := make(map[string]int32, len(shards))
	members := make([]consistent.Member, len(shards))
	for i, s := range shards {
		index[s.Name], members[i] = int32(i), ringMember(s.Name)
	}
	ring := consistent.New(members, consistent.Config{
		Hasher: hasher{}, PartitionCount: partitions, ReplicationFactor: ReplicationFactor, Load: LoadFactor,
	})
	owners := make([]int32, partitions)
	for p := range owners {
		owners[p] = index[ring.GetPartitionOwner(p).String()]
	}
	return owners
}

// point is one of a shard's places on the ring.
type point struct {
	hash  uint64
	shard int32
}

// placeAtOnce is place with one sort: each partition goes to the first shard
// clockwise of its hash that has room under the load factor. Hashes, order and
// bound are the library's, so that the outcome is the same to the partition; a
// test compares them, below and above libraryShards.
func placeAtOnce(shards []Member, partitions int) []int32 {
	points := make([]point, 0, len(shards)*ReplicationFactor)
	var key []byte
	for i, s := range shards {
		for r := range ReplicationFactor {
			key = strconv.AppendInt(key[:0], int64(r), 10)
			key = append(append(key, ':'), s.Name...)
			points = append(points, point{xxhash.Sum64(key), int32(i)})
		}
	}
	slices.SortFunc(points, func(a, b point) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		return cmp.Compare(b.shard, a.shard) // of two shards at one place the last by name has it
	})
	owners := make([]int32, partitions)
	room := make([]int, len(shards))
	for i := range room {
		room[i] = int(math.Ceil(float64(partitions) / float64(len(shards)) * LoadFactor))
	}
	var id [8]byte
	for p := range owners {
		binary.LittleEndian.PutUint64(id[:], uint64(p))
		at, _ := slices.BinarySearchFunc(points, xxhash.Sum64(id[:]), func(a point, hash uint64) int { return cmp.Compare(a.hash, hash) })
		for room[points[at%len(points)].shard] == 0 {
			at++
		}
		owners[p] = points[at%len(points)].shard
		room[owners[p]]--
	}
	return owners
}
