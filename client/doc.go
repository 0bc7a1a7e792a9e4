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
//
// # What a bot's author must know
//
// Events is read to its end, which comes with Close alone: while nobody reads it,
// nothing is read from the network, and a server ends such a connection in time.
// Post, Repost and Leave return at once and may be called where events are read; what
// waits for a server may not: Send, Join, Create, History and their like.
//
// Nothing is to be done about a lost connection, a moved room or a dead shard: the
// session finds its way back, joins behind the last record that it has seen, and
// sends again what has no answer. RoomLink and RouterLink tell of it, for a person
// who looks, and Held of a shard that takes no messages for now. Calls give up with
// their context, and say what they had waited for. A Left with an error says that the
// room was refused for good.
//
// Within a session no record is missing and none comes twice: Message.Seq counts
// up by one. From one session to the next the bot keeps the position (Seq and
// Epoch) of the last record it has dealt with, and hands it to Join: what was said
// meanwhile comes first, and with an empty one all that was ever said. Without one a
// room begins with what is new. Cut says that
// the store has lost its end; the sequences behind it are given out again.
//
// What was posted and has neither a Message that is Mine nor a SendFailed may be
// stored or not. Repost says it again, under the id it had, by the same user: it is
// stored once, however often. A bot that might be killed at any moment takes an id
// that it finds again, such as one made from the record that it answers, and
// reposts from the first time on; the example of an echo shows that.
//
// Mine is of this session. What the same user said before, or says from another
// session, is told by Message.User, or a bot would answer itself.
package client
