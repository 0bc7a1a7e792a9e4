// Package fanout delivers one encoded event to many sessions: a ring of recent
// events per room, a cursor per session and room, and whoever has something to
// deliver writes it. It knows nothing of what events mean, but that each is one
// line.
//
// An event walked through: the room's owner encodes it once into the ring
// (Ring.Append) and, holding no lock, walks the members (Ring.Wake). Each gets
// the ring's tail from where its cursor stands, one write on its descriptor,
// from the ring's own memory: nothing is copied, allocated or woken for a
// recipient. What came while the walk was on its way goes with it or with the
// next one. A crowd is walked by a thread that does nothing else, and so is a ring
// that has more each time it was walked (see crowds).
//
// A peer that takes no more is handed to a goroutine, which waits in the poller
// without a buffer and goes on when it can; the room never waits. Once the ring
// has dropped what such a session needs, it reads the rest from the Source, page
// by page, and comes back to the ring; what the Source cannot read puts it out of
// the room (Source.GiveUp), not off its connection. So a stuck session costs a goroutine and
// at most the rest of the one event that was begun.
//
// Replies to one session alone are queued (Outlet.Queue), written by whoever
// flushes, in their order and before what the session's rings hold. One at a
// time writes to a connection; who finds it busy leaves a mark, and the writer
// looks again before it ends. A session in many rooms is served ring by ring,
// beginning with another one each time.
//
// Connections without a descriptor to write to (TLS, pipes) have a goroutine
// while there is something to write.
//
// Locks: a Source's, then an Outlet's, then a Ring's, the crowds', the Pool's. No
// write is done under any. Goroutines: one per peer that is slow, and those that
// walk crowds, one fewer than processors or one; Pool.Run ends them and waits.
package fanout
