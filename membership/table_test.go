package membership

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// named makes n shards with names of one prefix.
func named(prefix string, n int) []Member {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return shards(names...)
}

// TestPlacementIsTheLibrarys compares the two builders: a cluster that grows
// past libraryShards must not be dealt out anew.
func TestPlacementIsTheLibrarys(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sizes := []int{1, 2, 3, 5, 8, 13, 20, 21, libraryShards, libraryShards + 1, 270, 271}
	if testing.Short() {
		sizes = sizes[:8]
	}
	for _, n := range sizes {
		list := NewTable(named(fmt.Sprintf("%x-", rng.Uint32()), n)).Shards()
		library, own := placeByLibrary(list, Partitions), placeAtOnce(list, Partitions)
		for p := range Partitions {
			if library[p] != own[p] {
				t.Fatalf("%d shards: partition %d is %s's, the library's is %s's", n, p, list[own[p]].Name, list[library[p]].Name)
			}
		}
	}
}

// TestLookupsAllocateNothing: each command of a client looks its partition up.
func TestLookupsAllocateNothing(t *testing.T) {
	table := NewTable(named("s", 20))
	var owner Member
	if n := testing.AllocsPerRun(1000, func() { owner, _ = table.Owner(Partition("a-room-of-usual-length")) }); n != 0 {
		t.Errorf("a lookup allocates %v times", n)
	}
	if owner.Name == "" {
		t.Error("nobody owns the room")
	}
}

// TestPartitionCountsOfAThousandShards prints what doc.go's choice of a
// partition count rests on: how full the fullest of 1,000 shards is, by
// partitions and by 1,000,000 rooms, and what a join moves.
func TestPartitionCountsOfAThousandShards(t *testing.T) {
	const size = 1000
	counts := []int{1009, 2053, 4093, 8191, 16381, 32749}
	if testing.Short() {
		counts = counts[4:5]
	}
	rng := rand.New(rand.NewPCG(5, 6))
	list := named("shard-", size+1)
	for _, partitions := range counts {
		was, is := placeAtOnce(list[:size], partitions), placeAtOnce(list, partitions)
		load := make([]int, size)
		for _, s := range was {
			load[s]++
		}
		rooms := make([]int, size)
		for range 1_000_000 {
			rooms[was[rng.IntN(partitions)]]++
		}
		needed, needless := 0, 0
		for p := range was {
			if is[p] == size {
				needed++
			} else if was[p] != is[p] {
				needless++
			}
		}
		mean := float64(partitions) / size
		t.Logf("%5d partitions: fullest %.2f times the mean by partitions, %.2f by rooms, emptiest %.2f; a join moves %d and needlessly %d (%.2f %%)",
			partitions, float64(slices.Max(load))/mean, float64(slices.Max(rooms))/1000, float64(slices.Min(load))/mean, needed, needless, 100*float64(needless)/float64(partitions))
		if partitions == 16381 && (float64(slices.Max(load))/mean > 1.3 || float64(needless)/float64(partitions) > 0.01) {
			t.Errorf("%d partitions do not keep what doc.go says of them", partitions)
		}
	}
}

func BenchmarkPartition(b *testing.B) {
	for _, room := range []string{"go", "a-room-of-usual-length", "0123456789012345678901234567890123456789012345678901234567890123"} {
		b.Run(fmt.Sprint(len(room), "-bytes"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Partition(room)
			}
		})
	}
}

func BenchmarkTableOwner(b *testing.B) {
	table := NewTable(named("s", 20))
	b.ReportAllocs()
	for p := 0; b.Loop(); p = (p + 1) % Partitions {
		table.Owner(p)
	}
}

func BenchmarkNewTable(b *testing.B) {
	for _, n := range []int{3, 20, 100, 250, 271} {
		list := named("s", n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewTable(list)
			}
		})
	}
}
