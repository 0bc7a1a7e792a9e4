package client

import "positivity-exchange/comms"

// Event is one of Message, Joined, Left, Presence, People, Cut, SendFailed, RoomLink, RouterLink.
type Event interface{ event() }

// Message is a record of a room: a message (comms.KindMessage) or another kind.
// Every sequence arrives exactly once, in order, whatever happened to the cluster,
// with two exceptions: what Repost repeats is acknowledged with its own sequence,
// though it may have arrived before, and Cut takes sequences back.
type Message struct {
	Room string
	comms.Record
	Mine bool // posted by this session: this is its acknowledgement
}

// Joined tells that a room was joined for the first time (re-joins after moves say nothing).
type Joined struct {
	Room        string
	Users       []string
	Count       int
	Description string
	Head        comms.Position
	Epoch       uint64
}

// Left tells that a room was left.
type Left struct{ Room string }

// Presence is a net change of participants.
type Presence struct {
	Room         string
	Joined, Left []string
	Count        int
}

// People replaces the list of participants.
type People struct {
	Room  string
	Users []string
	Count int
}

// Cut tells that the store lost its end behind At; the records after it, if
// any were shown, do not exist any more.
type Cut struct {
	Room string
	At   uint64
}

// SendFailed tells that a message was refused for good.
type SendFailed struct {
	Room, ID string
	Err      error // *RefusedError
}

// Link states.
const (
	LinkUp           = "up"
	LinkMoving       = "moving"       // announced, still served
	LinkReconnecting = "reconnecting" // nobody serves it to us just now; Err says why
)

// RoomLink tells how a joined room is served now.
type RoomLink struct {
	Room  string
	State string
	Shard string
	Addr  string
	Epoch uint64
	Err   error
}

// RouterLink tells how the connection to the router is. Rooms go on without one.
type RouterLink struct {
	Up   bool
	Addr string
	Err  error // ErrAnotherCluster, for one
}

func (Message) event()    {}
func (Joined) event()     {}
func (Left) event()       {}
func (Presence) event()   {}
func (People) event()     {}
func (Cut) event()        {}
func (SendFailed) event() {}
func (RoomLink) event()   {}
func (RouterLink) event() {}
