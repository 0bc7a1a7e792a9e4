package stress

import (
	"context"
	"net"
	"time"
)

// Dialect is how one kind of server is spoken to. Connect may be called from
// several goroutines; Next and the Append methods are called under one lock.
type Dialect interface {
	// Prepare makes the rooms exist and finds where each is served.
	Prepare(ctx context.Context, rooms []string) error
	// Place is the address at which a room is to be joined.
	Place(room string) string
	// Login lets a user in; its result is handed to Connect, once for each address.
	Login(ctx context.Context, user string) (ticket string, err error)
	// Connect opens a connection on which rooms can be joined and nothing is
	// left unread.
	Connect(ctx context.Context, addr, user, ticket string) (net.Conn, error)
	// AppendJoin asks for a room's messages from now on.
	AppendJoin(dst []byte, r *Room) []byte
	// AppendLeave ends that.
	AppendLeave(dst []byte, r *Room) []byte
	// AppendSend speaks. A server without ids finds all it needs in content.
	AppendSend(dst []byte, r *Room, id, content []byte) []byte
	// AppendPong answers a ping.
	AppendPong(dst []byte, f *Frame) []byte
	// Next reads the first frame of b into f, which it may find filled from
	// the frame before, and returns its length; 0: it is not whole yet.
	Next(b []byte, f *Frame) (n int, err error)
	// Numbered tells whether messages carry a sequence that all readers share;
	// otherwise only each sender's order is promised.
	Numbered() bool
}

// Room is a room of the run, as a dialect needs it.
type Room struct {
	Name  string
	Index int // from 0
}

// Kind says what a frame is.
type Kind uint8

// Kinds of a frame.
const (
	Other      Kind = iota // of no interest here
	Message                // Room, Content, ID and, numbered, Seq
	Joined                 // Room (nil: the first not yet answered), Seq of the newest message
	Left                   // Room (nil: likewise)
	Ping                   // N
	Record                 // a record that is no message but took a Seq of Room
	Redirected             // Room is joined at Addr (empty: ask again after Retry)
	Refused                // Room, Text, Retry (0: never)
	Ended                  // Text: the server closes the connection, or moves a room away
)

// Frame is what a dialect found in a connection's bytes. Its slices point into
// them and are good until the next call of Next.
type Frame struct {
	Kind              Kind
	Room, ID, Content []byte
	Seq, N            uint64
	Addr, Text        string
	Retry             time.Duration
}
