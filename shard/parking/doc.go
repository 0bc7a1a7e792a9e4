// Package parking keeps silent connections without a goroutine for each. It
// knows nothing of what they say: it tells their owners when there is something
// to read, or that the time is over for which they wanted to wait.
//
// Why: a goroutine that waits in the runtime's poller keeps its stack, 4 KiB
// once it has done anything, since the runtime shrinks a stack only while less
// than a quarter of it is used. That is half of what a silent session costs.
//
// A silence walked through: a connection's reader finds that the peer has said
// nothing for a while, parks the connection's Place (Lot.Park) and ends. The
// first byte, the end of the connection or of the time makes the Lot call the
// owner, which starts a reader again. A busy connection is never parked and
// costs nothing here.
//
// On Linux a Lot has an epoll descriptor of its own beside the runtime's, in
// which a parked connection's descriptor is armed for one event. The epoll
// descriptor itself waits in the runtime's poller, so a Lot costs one goroutine
// and no thread. Elsewhere Park refuses and the reader goes on to wait.
//
// Descriptors are numbers that are used again. A connection's is armed only
// while Go's net package holds it, so that it cannot be closed meanwhile; the
// kernel forgets it when it is closed. An event that was on its way and meets
// another connection under the number, or one that is not parked any more, is
// harmless: a reader that was called for nothing reads nothing and parks again.
//
// Locks: a Lot's mu is below every other; owners are called without it.
package parking
