// Package faulttest starts whole clusters of real px processes, lets people
// talk in them, does to them what machines and networks do, and holds what the
// people saw to the invariants that package checker names.
//
// A run walked through. Execute builds px with its failpoints (once), starts
// shards, routers and, where asked, three NATS servers, and the load: rooms
// with writers that send on a beat whatever happens, and readers. Every one of
// them writes what it does and sees into one history. Then come the phases of a
// schedule drawn from a seed: an episode is one nemesis with a time, a length
// and random numbers of its own; from the second half of a long run on episodes
// of a phase overlap. After each phase the cluster must converge within 10 s.
// In the end the load stops, what is unacknowledged gets its time, readers must
// have everything; memory, descriptors and goroutines are looked at; then every
// process is killed, and one fresh shard and router read the rooms from the
// log. The checker gets the history; pauses are printed beside their limits.
// A failing run prints its seed, and scripts/faults replays that.
//
// To add a nemesis: write a Nemesis value (file nemesis_*.go, one concern a
// file) whose Run injects, waits for e.Length, and heals before it returns, and
// name it in the list in Nemeses. Draw all chance from e.Rand, so that a seed
// replays. Call e.Began at the moment of injection: pauses are measured from
// there. Take processes with e.Claim, so that an overlapping episode does not
// take the last healthy ones. What cannot be done here is said by Needs, and the
// run skips it aloud. What must hold beyond the invariants, Run checks itself
// and returns as an error.
//
// To put processes on networks or disks of their own: Options.Place answers for
// each process's name where it listens and how it is started (in a network
// namespace, say).
//
// The driver owns every process it starts, by its id, and signals no other.
package faulttest
