package comms

// Command is what a client says to a server: one JSON object a line, tagged
// "_ct". The concrete types below are its only implementations.
type Command interface {
	// CommandType is the value of "_ct".
	CommandType() string
}

// Roles a connection can take in Hello.As. The ticket must be of that role.
const (
	AsClient   = "client"   // a person or a bot; the default
	AsMember   = "member"   // another process of the cluster
	AsOperator = "operator" // somebody who holds the cluster's secret
)

// Position is a place in a room: the last record a client has, and the epoch
// under which that record was written. Seq 0 is a room in which nothing was
// said yet (its creation).
type Position struct {
	Seq   uint64 `json:"seq"`
	Epoch uint64 `json:"epoch,omitempty"` // 0: not known; only Seq is held against the room then
}

// Hello makes a connection aware of this protocol. It is the first command on
// a shard and optional on a router (without it the router takes the peer for
// an ancestor). Answered by Welcome, or by Error and Goodbye.
type Hello struct {
	Version int    `json:"v"`
	User    string `json:"u,omitempty"`      // router: name wished for, empty for a guest name; shard: must be the ticket's
	Ticket  string `json:"ticket,omitempty"` // needed at a shard; at a router renews without a new login
	As      string `json:"as,omitempty"`     // AsClient when empty
	Name    string `json:"name,omitempty"`   // AsMember: stable name of the caller
	Boot    string `json:"boot,omitempty"`   // AsMember: boot id of the caller
}

// JoinRoom asks for a room's records from now on, or, with After, from the
// record behind After on. Answered by UserJoinedRoom (then the records, in
// order), by Redirect or by Error (CodeNoRoom, CodeJoined, CodeBadRange).
// If the log does not hold After under that epoch, HistoryCut comes right
// behind UserJoinedRoom.
type JoinRoom struct {
	Room  string    `json:"r"`
	After *Position `json:"after,omitempty"`
}

// LeaveRoom ends the participation. Answered by RoomLeft.
type LeaveRoom struct {
	Room string `json:"r"`
}

// SendMessage speaks in a joined room. Its acknowledgement is the sender's own
// copy of UserMessage, carrying ID and Seq. A refusal is an Error or Redirect
// with Room and ID set.
type SendMessage struct {
	Room    string `json:"r"`
	Content string `json:"c"`
	ID      string `json:"id,omitempty"`    // client message id, unique for its user; same id and content = same message. Needed at a shard
	Again   bool   `json:"again,omitempty"` // sent before, its fate unknown
	Seen    uint64 `json:"seen,omitempty"`  // with Again: the room's sequence its sender had seen when it first sent
}

// SetTopic changes a room's description; a record like a message, acknowledged
// by the sender's own copy of TopicChanged.
type SetTopic struct {
	Room  string `json:"r"`
	Topic string `json:"d"`
	ID    string `json:"id,omitempty"`
	Again bool   `json:"again,omitempty"`
	Seen  uint64 `json:"seen,omitempty"`
}

// Quit ends the session. Answered by Goodbye and the end of the connection.
type Quit struct{}

// History asks for one page of a room's records: with Before, the Limit
// records below that sequence; otherwise those from sequence From on. No need
// to have joined. Answered by HistoryPage, Redirect or Error (CodeBadRange).
type History struct {
	Room   string `json:"r"`
	Before uint64 `json:"before,omitempty"` // exclusive; head+1 or more means the newest
	From   uint64 `json:"from,omitempty"`   // inclusive
	Limit  int    `json:"n"`                // 1 to MaxPage
	Tag    string `json:"tag,omitempty"`    // echoed in the answer; see CheckID
}

// CreateRoom makes a room that lasts. Answered by RoomCreated, Redirect or
// Error (CodeRoomExists).
type CreateRoom struct {
	Room        string `json:"r"`
	Description string `json:"d,omitempty"`
}

// ListRooms asks a router for the rooms whose name starts with Prefix, sorted
// by name, those behind After. Answered by RoomList.
type ListRooms struct {
	Prefix string `json:"prefix,omitempty"`
	After  string `json:"after,omitempty"`
	Limit  int    `json:"n,omitempty"` // 0 means MaxPage
	Tag    string `json:"tag,omitempty"`
}

// Locate asks where a room is served. A router answers with its best guess
// (epoch 0), a shard with itself and its epoch, a Redirect, or CodeNoRoom. A router
// remembers the rooms a connection located and tells of their moves when the
// shard that serves them is gone: the one it named, or the one at At, which the
// client found by redirects. Answered by Located or Error (CodeNoShard with a
// retry delay).
type Locate struct {
	Room string `json:"r"`
	At   string `json:"at,omitempty"` // host:port of the shard that the client is at, or has turned to, for the room
}

// Ping asks for a Pong with the same number; either end may ask at any time.
type Ping struct {
	N uint64 `json:"n"`
}

// Pong answers an event PingEvent.
type Pong struct {
	N uint64 `json:"n"`
}

// Renew asks for a fresh ticket for the same user. Answered by Ticket.
type Renew struct{}

// Status asks a router for the state of the cluster, a shard for its own.
// Answered by StatusReport.
type Status struct{}

// Drain asks a shard to give up all partitions and leave. Operators only.
// Answered by DrainProgress events until Left is true, or by an Error.
type Drain struct {
	Name string `json:"name"` // stable name of the shard meant, so that a stale address cannot drain another
}

// Yield asks the holder of a partition to give it up (members only). Answered by Yielded.
type Yield struct {
	Partition int    `json:"p"`
	Name      string `json:"name"` // who asks: stable name
	Boot      string `json:"boot"` // and its boot id
}

// Offer asks another shard whether it would take a partition (members only).
// Answered by Offered.
type Offer struct {
	Partition int  `json:"p"`
	Draining  bool `json:"draining,omitempty"` // the asker drains, so the table already leaves it out
}

// WatchRooms asks a shard to report the rooms of the partitions its table
// gives it, now and at each change, until the connection ends (members only).
// Answered by RoomReport events.
type WatchRooms struct{}
