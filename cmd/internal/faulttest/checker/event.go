package checker

import "hash/fnv"

// Kind is what an event tells.
type Kind string

// Kinds of events; the package comment says what each means.
const (
	Send       Kind = "send"
	Ack        Kind = "ack"
	Error      Kind = "error"
	Unknown    Kind = "unknown"
	Deliver    Kind = "deliver"
	Joined     Kind = "joined"
	Redirect   Kind = "redirect"
	Disconnect Kind = "disconnect"
	Cut        Kind = "cut"
	End        Kind = "end"
	Final      Kind = "final"
	Read       Kind = "read"
	Fault      Kind = "fault"
	Heal       Kind = "heal"
)

// Event is one line of a history. Fields that a kind has no use for are zero.
type Event struct {
	Time   int64 // nanoseconds on the driver's clock
	Kind   Kind
	Room   string
	Who    string // the session's user; a fault's name
	ID     string // client message id
	Seq    uint64
	Epoch  uint64
	Author string // of a record
	Hash   uint64 // of a content
	Due    int64  // when the message was to be sent; 0: at Time
	Owner  string // the process that serves
	Code   string // why: an error's code, a fault's target
}

// Hash is how histories name a content.
func Hash(content string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(content)) //nolint:errcheck // never fails
	return h.Sum64()
}
