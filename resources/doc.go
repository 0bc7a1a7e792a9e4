// Package resources holds the data that is built into the program: the list of
// rooms that exist from the first start.
//
// It parses that list, and the file an operator puts in its place, by the same
// strict rules. It does not judge names and descriptions: what a room may be
// called is protocol and stands in comms, which this package does not import.
//
// A start reads as follows: the command calls Rooms, or LoadRooms with the path
// of --rooms; either gives the rooms in the file's order or an error that
// names the entry and what is wrong with it; the caller holds names and
// descriptions against the protocol; the shards create those that the
// room log does not have yet.
//
// Strictness is the trade-off: an unknown key stops the start, since a
// misspelled "description" would otherwise be lost without a word.
package resources
