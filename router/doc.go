// Package router tells a client which shard serves a room, and relays
// ancestors. It serves no rooms and holds no state that a restart loses: what
// it knows comes from gossip and from the shards' word.
//
// A client walked through: it is greeted at once, as the ancestor did; it says
// hello and gets a ticket; it asks locate and is told the table's guess; the
// router remembers which rooms the connection asked for and tells it when their
// shard is gone. Whoever sends join_room without a hello is an ancestor: the
// router opens a session of the SDK in its name (to itself, over a pipe) and
// translates. An ancestor in a room may be silent for ever; everybody else is
// asked, or let go of in the end.
//
// A connection's commands wait while much of what it asked for is unwritten;
// what it did not ask for does not wait, and one that lets it pile up is closed.
// An ancestor's wait too while shards have not taken much of what it said. When it
// goes, what it said is carried out before its session is closed, unless that gets
// nowhere for a second.
//
// Goroutines: a reader and a writer per connection, two more for an ancestor (its
// commands, its events) besides those of its session, one watch per shard, the
// loop that looks for gone shards, the HTTP server; Run waits for all.
package router
