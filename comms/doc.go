// Package comms is what travels between clients, routers and shards: commands,
// events, errors, their bytes on the wire, and the frames they come in. It
// knows nothing of rooms' meaning, of members, or of who may do what.
//
// One line is one JSON object ended by CR LF, tagged "_ct" (command) or "_et"
// (event); PROTOCOL.md in this folder is the reference for other languages.
//
// A request walked through: Reader.Next cuts a line off the stream and bounds
// its size and time; DecodeCommand scans it once, refuses what is not strict
// JSON in UTF-8, fills the type that "_ct" names and holds every field against
// the limits of limits.go; what it refuses is a *Error that can be sent as it
// is. The answer goes out through AppendEvent, a chat message through
// AppendMessage, which allocates nothing.
//
// The package starts no goroutine. Types other than the hot ones go through
// reflection over their struct tags: the types are the specification, and what
// costs is the message, which has code of its own.
package comms
