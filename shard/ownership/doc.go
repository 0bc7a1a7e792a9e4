// Package ownership decides which partitions a shard holds. Gossip says who
// should own a partition; the owner record in the room log says who does. The
// package serves no rooms: it tells the serving side (Rooms) what is theirs.
//
// A first use walked through: a command arrives for a partition that is not
// held; Hold takes the partition's turn, reads the owner record, and decide (a
// pure function) says: acquire (unused, released, ours, or its holder is
// gone), ask a living holder to yield, or redirect. Nobody takes from the
// living, so members with different tables cannot fight.
//
// Gone means both dead for gossip (or refused by its port) and silent on the
// roll; Census judges it and keeps this process's own heartbeat. An owner whose
// heartbeat is older than a second reads its records again before it answers.
//
// Goroutines: Run's loop (re-reads, wants, cut), the move loop with a bounded
// number of moves under way, and re-reads after a fenced append; Run waits for all.
package ownership
