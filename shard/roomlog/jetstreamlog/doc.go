// Package jetstreamlog is the room log on NATS JetStream, for shards on many
// machines: what SQLite files in a shared directory are to one machine, streams
// replicated by Raft are to several.
//
// For a cluster named px there are a stream for the roll and a few for the
// records, to which the partitions are dealt out:
//
//	stream px-roll      subjects px-roll.<boot>: one entry per living process
//	stream px-records-K subjects px.<partition>.> of partitions K, K+8, K+16 ...
//
//	px.17._owner        the owner record, JSON; the newest alone is kept
//	px.17._taken        changes with each acquire; the newest alone is kept
//	px.17.<room>        the room's records, the creation first
//	px.17.<room>.topic  its description; the newest alone is kept
//
// Anybody can read along: nats stream view px-records-1. A message holds the
// records of one append and room, a line of JSON each; the headers Px-Seq and
// Px-Last have the first's and last's sequence, Px-Epoch the epoch.
//
// # One writer
//
// Every write of a partition, the owner record's included, carries the stream
// sequence of the partition's newest message (Nats-Expected-Last-Subject-Sequence
// for the filter px.17.>, always that one string: while one write is in flight
// the leader refuses the next of the same string). A take-over is such a write,
// so it makes whatever the deposed owner sends afterwards stale, a copy that
// arrives late included. More than one message is an atomic batch (ADR-50, NATS
// 2.12), a single one a plain publish.
//
// A write without an answer is sent again under the same expectation: it enters
// once or not at all. If then something newer stands in the way and it is not
// our own, nobody can know: ErrUnknown.
//
// # Reading
//
// Owner records, heads and the roll's end are read from a stream's leader, pages
// of a room from any replica: a page counts only if it is gap-free and reaches
// as far as the head that the leader named, otherwise another replica is asked.
// There is no index by sequence: a record is found by interpolation over
// next-by-subject, from the places where earlier pages ended. A leader is
// believed about owner records only while it hears from a majority.
//
// # What is lost when
//
// What is acknowledged is on a majority of the stream's replicas. NATS servers
// write it through to the disk every 2 minutes unless their configuration says
// sync_interval: always, so a power cut of a majority at once can lose an end
// that was acknowledged. The owner notices with its next append (ErrLostEnd), and
// readers are told (history_cut), unless an acquire was among it: its epoch is
// then issued once more. Options.Sync "full" demands that every server syncs
// always, and looks at their monitoring ports.
package jetstreamlog
