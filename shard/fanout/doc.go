// Package fanout delivers one encoded event to many sessions: a ring of recent
// events per room, a cursor per session and room, a writer per connection that
// exists only while there is something to write. It knows nothing of what
// events mean.
//
// An event walked through: the room's owner encodes it once and calls
// Ring.Append and Wake; each member's writer gathers everything past its
// cursors into one write. A session that does not read is merely a cursor that
// falls behind: once the ring has dropped what it needs, its writer reads the
// rest from the Source, page by page, and comes back to the ring. The room
// never waits for it and nothing is queued for it.
//
// Replies to one session alone go out in their order, before what its rings
// hold. Goroutines: one writer per connection that has something to write;
// Pool.Run ends them and waits.
package fanout
