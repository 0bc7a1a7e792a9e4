// Package transfer carries all rooms from one room log to another through a
// file, either way: SQLite to JetStream, JetStream to SQLite, or a copy to keep.
//
// # The file
//
// JSON lines, UTF-8, one object each, told apart by their first key:
//
//	{"px_export":1,"log":"3f…","partitions":271,"rooms":100,"records":200000}
//	{"room":"go","partition":17,"epoch":3,"description":"gophers"}
//	{"seq":1,"in":"go","epoch":3,"kind":1,"user":"ada","id":"x-1","time":1764021300000,"content":"hi"}
//	{"end":17,"rooms":1,"records":1,"sha256":"…"}
//	{"total":true,"rooms":100,"records":200000,"sha256":"…"}
//
// The first line names the version of the format, the log's identity, the
// cluster's constant, and what there was when the export began (a guess: rooms
// go on). Partitions follow in ascending order, those without rooms left out;
// within a partition lines are ordered by epoch, then room, then sequence, so
// that a reader can store each epoch's records under that epoch. A room's line
// comes before its first record and tells the description as of its last one in
// the file; its creator and time of creation are not kept, since no log tells
// them.
//
// # The hash
//
// It does not depend on the file's bytes, so two logs are equal if their hashes
// are. Numbers are unsigned varints (time a signed one), strings their length
// and their bytes:
//
//	room      SHA-256 over each record: seq, epoch, kind, user, id, time, content
//	partition SHA-256 over each room by name: name, description, number of records, the room's 32 bytes
//	total     SHA-256 over each partition with rooms: its number, its 32 bytes
//
// # Going on after an interruption
//
// An export writes FILE.part and renames it at the end; started again it keeps
// the partitions that are whole. An import stores whole batches and never gives
// a partition up before it was read back and compared; started again with the
// same file it stores what is missing.
package transfer
