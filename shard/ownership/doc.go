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
// heartbeat is older than a second reads its record before each answer, and so
// does one whose heartbeats began anew since it last read it: it may have been
// deposed in between.
//
// decide.go and rules.go hold the protocol's decisions as pure functions. The
// tests search all states of a model of everything around them (model_*_test.go:
// three shards, one or two partitions, freezes, kills, cuts, lost answers,
// drains, joins) for two writers, for taking from the living, for owners that
// answer though deposed, and for partitions that end without an owner whom every
// client finds. Designs that fell, put back, are caught there.
//
// Goroutines: Run's loop (re-reads, wants), one that tells gossip of a cut, the
// move loop with a bounded number of moves under way, re-reads after a fenced
// append and the end of who stands in the way of one; Run waits for all.
package ownership
