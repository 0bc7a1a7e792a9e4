// Package stress puts load on a server, checks everything that comes back, and
// measures what that cost the server. It is the generator behind px stress and
// cmd/yardstick. It is not a client: it keeps no history, resumes nothing, and
// takes a room that moves away under it for the end of the run.
//
// A run walked through: Run makes the rooms exist, logs every session in and
// joins it (join.go), lets it warm up, notes what the server's processes have
// used (usage.go), lets the profile's load go on, notes it again, stops the
// talking and waits until everybody has everything (run.go).
//
// What is received is checked to the byte: a message's content follows from
// its speaker and number (content.go), every reader's sequence has no gap and
// no repeat, all readers have the same message under a number, and a speaker's
// messages keep their order (check.go). Latency counts from the time at which
// a message was to be sent, not from when it was, so that a server that stalls
// cannot hide it by stalling its senders too.
//
// The generator shares the machine with what it measures, so it must be cheap:
// on Linux one thread reads all plain connections through epoll, into one
// buffer, and takes a message apart without allocating. TLS connections, and
// other systems, have a goroutine for each. One lock guards all state: what
// many readers could win by not sharing it, the server would lose.
//
// A Dialect says how a kind of server is spoken to: Px is ours; the yardstick
// has NATS's.
package stress
