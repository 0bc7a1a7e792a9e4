// Package client is the SDK: one logical session over routers and shards. It
// locates rooms, connects, follows redirects, resumes and sends again by
// itself; its user sees each record of a room once and in order (but see Message).
//
// A post walked through: Post puts it into the room's outbox and wakes the
// loop; the loop sends it over the connection to the room's shard; the shard's
// copy of it, arriving in the room's stream, is the acknowledgement. If the
// shard moves or dies, the loop joins at the next one with the last sequence it
// saw and sends what is not acknowledged again, under the same id.
//
// Goroutines: the loop owns all state and waits for no network; each connection
// has a reader, which dialled it and hands what it read to the loop, and a writer
// of what the loop queued. Close ends all and waits.
package client
