// Package sqlitelog is the embedded room log: one SQLite file per partition,
// shared by the shard processes of one machine through one directory.
//
//	cluster.json          identity and schema of the directory, whose it is
//	partitions/017.db     owner record, rooms and records of partition 17
//	roll/<boot>.json      one entry per living process, renewed by it alone
//
// Anybody can read along: sqlite3 -readonly partitions/017.db 'SELECT r.name,
// key & 0xFFFFFFFFFF AS seq, user, content FROM records JOIN rooms r ON r.id =
// key >> 40'.
//
// An append is one short transaction that checks the epoch before it writes;
// no lock is held between appends, since a stopped process keeps its locks. A
// process stopped inside a transaction is named by BlockedError and can be
// ended by End where Linux shows who it is. One goroutine checkpoints changed
// files and closes idle ones; it ends with Close.
//
// What a power cut leaves: with Sync "full" all that was acknowledged. Without
// it, of each partition all up to its last checkpoint (one a second) or synced
// write, and maybe more; the end behind that is lost whole, never a record
// before a kept one. Always synced are the identity of the directory, each epoch
// issued and each room made. The roll is not: nobody of whom it tells lives
// after a power cut.
//
// Never open these files by other means inside a process that runs a shard:
// closing any descriptor of the -shm file drops the process's POSIX locks.
package sqlitelog
