// Package twin is the fault test's twin in one process: the same promises, held
// by the same checker, but with a network and a room log in memory and a clock
// that is not the wall's, so that a run of a cluster takes a fraction of a
// second and a failing one can be had again.
//
// What is real: shard servers with their sessions, sequencers and rings, the
// ownership keepers and the census, routers, member connections, and the client
// SDK of everybody who talks. Nothing of theirs knows that it is not in a
// process of its own. What is not: the clock (testing/synctest), the network
// (network.go, stream.go), the room log's storage (memlog behind log.go), and
// gossip (gossip.go). The real gossip costs more than all the rest together,
// and agrees too well: here each member's view follows the others' late, for
// each pair by a time of its own, and is wrong when it may be. What gossip says
// must cost a hop at most, so an adversary there is worth more than the library.
// Whole clusters with the real one are in cmd/internal/app's tests.
//
// A run walked through. Run draws a schedule from the seed, starts three shards
// and two routers, and lets people in: two writers to each busy room, in open
// loop, readers of everything, one that comes and goes. Faults begin within ten
// seconds and overlap. Then all is healed and what is missing started again;
// every message must have its answer, all members one table, the readers
// everything, and a fresh client reads the histories for the checker.
//
// A process that is killed has its connections reset and its calls fail. One
// that is frozen reads nothing, sends nothing and waits in its next call of the
// log, perhaps behind the call's effect; what it does in memory alone goes on,
// which is as if its goroutines were stopped one by one: more than a real
// process does to others, never less. Writes to the log may be refused, get no
// answer though they are in or are not, or enter later.
//
// # Replay
//
// Every seed runs in a process of its own with one processor and no garbage
// collection, and all chance comes from the seed: latencies, faults, crypto/rand,
// and the runtime's own (the order of maps and selects, math/rand), whose kernel
// bytes are overwritten before the process begins; the thread by which the
// runtime watches the wall's clock never runs, so that nobody is interrupted.
// Equal starts give equal histories, to the byte and the nanosecond. What is
// left to chance is the start: for a moment the runtime's first threads run
// beside each other, and a few different heaps come of it, two or three in
// practice. A failure names the start (PX_TWIN_START), and a replay begins anew
// until it has that one. It needs the same binary on the same Linux, and leave
// to trace one's own children; elsewhere the seed gives the same schedule, and
// goroutines take turns by chance. PX_TWIN_LOG=1 makes the processes' logs,
// which moves the heap and with it the order of maps with pointers: another run.
//
// The checker must be able to fail: defect.go plants defects in the log.
package twin
