// Package shard serves rooms: sessions, one order per room, group commit,
// presence and hand-over. Which partitions it holds is ownership's word, what
// is stored is the room log's, who is written to is fanout's.
//
// A message walked through: the session's reader decodes it in the connection's
// buffer and hands it to its partition; the sequencer (under the partition's
// lock, memory work only) answers a repeat or queues it. The reader that queued
// a partition's first record is its committer: once it has nothing more to read
// and all others that can run have queued theirs, it numbers the batch, appends
// it to the room log in one transaction, publishes each record in its room's
// ring and walks the members, or has a crowd walked by a thread of fanout's. The
// sender's own copy is its acknowledgement.
// Waking a goroutine for that would cost more than the commit; one takes over
// where the queue does not become empty, so that no reader is kept from its own
// session for long, and for each partition but one where a reader queued in several,
// so that none waits for another's log.
//
// What a reader answers itself waits in its outlet until it has no more to
// read; it commits and flushes before it does anything that may wait, and hears what
// became of its words, for a moment, before it leaves a room.
//
// Goroutines: one reader per session that speaks; a silent one is parked after a
// moment (package parking) and has none until it is heard again, or, where the
// system does not allow that, one without a buffer. A committer per partition
// that is busy without a pause or was one of several, the presence loop, one per
// watching member, fanout's. Server.Run waits for all, and for the parked
// sessions' ends.
package shard
