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
// never heals a partition by itself), one per connection to another shard.
package membership
