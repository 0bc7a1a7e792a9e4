package client

import "positivity-exchange/comms"

// Event is one of Message, Joined, Left, Presence, People, Cut, SendFailed, Held, RoomLink, RouterLink.
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

// Left tells that a room was left: after Leave, or since it was refused for good
// when it was to be joined again, as one is that the store has lost. Then it may
// only be made or joined anew.
type Left struct {
	Room string
	Err  error // *RefusedError; nil after Leave
}

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

// Held tells that what was posted in a room has waited for more than a second,
// since its shard refuses it for now: its disk may be full. It is sent again all
// the while. Without an error it tells that the shard takes it again.
type Held struct {
	Room string
	Err  error // *RefusedError
}

// Link states.
const (
	LinkUp           = "up"
	LinkMoving       = "moving"       // announced, still served
	LinkReconnecting = "reconnecting" // nobody serves it to us just now; Err says why, once more if a refusal says better
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
func (Held) event()       {}
func (RoomLink) event()   {}
func (RouterLink) event() {}
