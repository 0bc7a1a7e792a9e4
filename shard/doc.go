// Package shard serves rooms: sessions, one order per room, group commit,
// presence and hand-over. Which partitions it holds is ownership's word, what
// is stored is the room log's, who is written to is fanout's.
//
// A message walked through: the session's reader decodes it and hands it to its
// partition; the sequencer (under the partition's lock, memory work only)
// answers a repeat or queues it; the committer, a goroutine that exists while
// the queue is not empty, numbers a batch, appends it to the room log in one
// transaction, publishes each record in its room's ring and wakes the writers.
// The sender's own copy is its acknowledgement.
//
// Goroutines: one reader per session, a committer per busy partition, the
// presence loop, one per watching member; Server.Run waits for all.
package shard
