package comms

import "time"

// Version is the protocol version both ends name in hello and welcome. A
// server that cannot speak the client's version answers CodeVersion.
const Version = 1

// Limits of the wire. Sizes are bytes.
const (
	MaxCommandFrame = 128 << 10 // one command line, line end included
	MaxEventFrame   = 1 << 20   // one event line, line end included
	MaxHelloFrame   = 4 << 10   // the command line that says hello at a shard, line end included
	MaxRoomName     = 64        // 1 to 64 of a-z, 0-9 and '-'
	MaxUserName     = 32        // 1 to 32 of a-z, 0-9 and '-'
	MaxContent      = 16 << 10  // 1 byte to 16 KiB of valid UTF-8, see CheckContent
	MaxDescription  = 512       // 0 to 512 bytes, same alphabet as content but on one line
	MaxClientID     = 64        // client message id: 1 to 64 of A-Z a-z 0-9 '-' '_' '.'
	MaxAddr         = 64        // host:port
	MaxPage         = 500       // records of a history page, rooms of a list page
	MaxSeq          = 1 << 53   // sequences and epochs stay exact in every JSON reader
	GreetingRooms   = 500       // rooms in login_successful, those of the rooms file first
	MaxUsersListed  = 10000     // names in one list of participants; Count tells the rest
)

// Deadlines of the wire.
const (
	FrameTimeout = 10 * time.Second // an unfinished frame: a server counts from its first byte, a client from its last
	LobbyTimeout = 10 * time.Minute // a connection that never says hello or joins
	PingAfter    = 30 * time.Second // silence after which a server asks ping
	WriteTimeout = 60 * time.Second // a write that makes no progress
	DialTimeout  = 5 * time.Second
)
