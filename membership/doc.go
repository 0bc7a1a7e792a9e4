// Package membership knows who is alive, and which member should own which
// partition. It does not know who does own one: that is the room log's word.
//
// Gossip (memberlist) brings the members; a loop turns each change of the list
// into two immutable snapshots, the members and the Table, which readers load
// without a lock. Gossip's callbacks only mark that something changed, since
// they hold the gossip library's lock.
//
// A change walked through: a shard dies; its connections are reset; keepLink
// dials once more and is refused; the boot is taken for dead in this member's
// own view, the table is built without it, watchers are marked. A second later
// gossip says the same to everybody else.
//
// Goroutines, all owned by Run: the rebuild loop, the re-join loop (memberlist
// never heals a partition by itself) and up to eight that try an address each for
// it, one that ends both when this member leaves, the loop that says a change of
// the own state once more, one per connection to another shard.
//
// # How the partition count is chosen
//
// The count P is for the life of a cluster: a room's partition is its hash
// modulo P, so another P puts every room into another log. It is chosen for the
// largest number of shards N that the cluster may grow to, by k = P / N, the
// partitions of one shard.
//
// Balance wants k large. The builder gives no shard more than ceil(1.25 k):
// twice the mean for k = 1, 1.5 for 2, 1.25 for 4, and from k = 8 on about what
// the factor says. Below that bound the ring's chance decides, and rooms add
// theirs. Computed for N = 1,000 and 1,000,000 rooms
// (TestPartitionCountsOfAThousandShards):
//
//	     P   k  fullest shard   by rooms  emptiest  a join moves  needlessly
//	 1,009   1     1.98 x mean      2.12         0             1           1
//	 4,093   4     1.47             1.62         0             6           0
//	 8,191   8     1.34             1.46      0.12            11           1
//	16,381  16     1.28             1.38      0.37            18           2
//	32,749  33     1.25             1.36      0.52            36           1
//
// Cost wants k small. A shard reads the owner record of each partition it holds
// once a second: k reads, P in the cluster. A join or a death concerns k
// partitions, each with an acquire that is synced to disk, so a pause is over
// sooner the fewer they are; with k below N they come from, or go to, different
// shards, which work at the same time (a move waits 100 ms after its
// announcement, a shard does 8 at once). A partition in use costs 3 to 5 descriptors where it is
// a file. A table is 4 P bytes and P binary searches, nothing beside its ring of
// 200 N points.
//
// Beyond k = 16 the balance gains 2 % for twice the cost. So: P is the prime
// below 16 N. For 1,000 shards that is 16,381: the fullest shard at 1.28 times
// the mean, so a cluster filled to 78 % on average, and one join in 1,000 moves
// 0.11 % of the rooms. Today's 271 serves 17 shards by that rule, and up to 271
// at all (of more, the first by name); at 100 (k = 2.7) a shard may have to
// carry 1.5 times the mean (4 partitions of 2.71).
//
// What else 1,000 shards ask for. The ring, with 200 points a shard, is built in
// 36 ms at each change of the list; 50 points would do under the load factor.
// Gossip at rest is 0.7 KB a second and member whatever the number; full
// exchanges add 0.7, 1.1 and 2.7 KB with 20, 100 and 250 members, and with 1,000
// about 7 KB (430 bytes a member and exchange, both ways, one in 60 s). A death is known
// after 1.9, 2.5 to 4 and 3 to 4 s: the suspicion time grows with the logarithm.
// Booting all at once is what grows: 0.6, 3.8 and 12 s until one table, since each
// member has to hear of each other's two changes at 42 KB a second, and 5, 24 and
// 52 s more until what everybody has is not sent on any longer; let
// machines of a large cluster boot over a minute. Each member holds a connection
// to every shard: 1,000 descriptors. And every member reads the whole roll
// twice a second: N x N x 2 = 2,000,000 entries a second over the cluster, the
// first thing to change (read only whom one has to judge).
package membership
