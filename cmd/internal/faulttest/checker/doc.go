// Package checker holds the history of a fault test to the promises of the
// cluster. It is pure: no clock, no network, no process; the whole-cluster test
// and an in-process one feed it alike, the former through a file, the latter
// event by event.
//
// A history is what a driver saw, one event a line, in the order in which it
// happened on the driver's clock. Nothing in it was said by the system under
// test about itself. A line is
//
//	TIME KIND ROOM WHO [key=value ...]
//
// TIME in nanoseconds, never falling; ROOM and WHO (the session's user, or the
// name of a fault) are "-" where there is none. Keys: id (client message id),
// seq, epoch, author, hash (of the content, hexadecimal), due (when a message
// was to be sent, in open loop), owner (the process that serves), code. Bytes
// that would break a line are written as %XX. The kinds:
//
//	send       WHO is about to send the message id; written before it goes out,
//	           and once more when the driver itself repeats it
//	ack        it was acknowledged as seq of epoch
//	error      it was refused for good, with code
//	unknown    the driver gave up waiting: its outcome is not known
//	deliver    the reader WHO was given the record seq
//	joined     WHO is in the room at owner, whose ownership is epoch; for a
//	           reader seq is the last record that it has, and the next is seq+1
//	redirect   WHO was sent elsewhere, to owner if that was said
//	disconnect WHO lost the connection, or let go of it
//	cut        WHO was told that the log lost what came after seq
//	end        the driver waited for the reader WHO to have all there is
//	final      a record of the history as a fresh client read it in the end
//	read       that history is complete, with seq records
//	fault      the fault WHO begins (code: its target); heal: it is over
//
// One pass over the lines builds, per room, sequence -> (epoch, author, id,
// hash): whoever names a record first sets it, everyone after must agree. With
// the final history at the end of the lines that checks
//
//	I1 what was acknowledged is in the history, at its sequence, with its bytes
//	I2 nothing is in it twice, nothing that was refused or that nobody sent
//	I3 sequences are 1..n in the history and in every stream, across reconnects
//	I4 all see one order, and a sender's messages are in the sender's order
//	I5 what was seen before another message was sent has the lower sequence
//	I6 epochs never fall along the sequence, and each has one owner
//	I7 nobody was given a record that is not in the log
//
// and "run": a run without messages, without moves, or whose history is
// incomplete shows nothing and is a breach too. Time and memory are linear in
// the number of messages, but for a sort of the rooms.
package checker
