package comms

// Event is what a server says to a client: one JSON object a line, tagged "_et".
type Event interface {
	// EventType is the value of "_et".
	EventType() string
}

// Room is a room's name and description (its topic).
type Room struct {
	Name        string `json:"n"`
	Description string `json:"d"`
}

// LoginSuccessful greets every connection to a router at once (ancestor's event).
type LoginSuccessful struct {
	Session string `json:"s"`
	User    string `json:"u"`
	Rooms   []Room `json:"rs"`
}

// RoomParticipation tells an ancestor that somebody joined or left. Only the
// router's relay sends it.
type RoomParticipation struct {
	Room   string `json:"r"`
	User   string `json:"u"`
	Status string `json:"s"` // "joined" or "left"
}

// UserJoinedRoom answers JoinRoom. For an ancestor only r and us are written;
// a shard writes all fields (Epoch is never 0 there, and decides the form).
type UserJoinedRoom struct {
	Room        string   `json:"r"`
	Users       []string `json:"us"`               // participants, sorted, at most MaxUsersListed
	Silent      bool     `json:"silent,omitempty"` // a resume after a crash: Users is not known yet and follows as PresenceList
	Count       int      `json:"count,omitempty"`  // participants in all
	Description string   `json:"d,omitempty"`
	Head        uint64   `json:"head"`  // sequence of the room's newest record; 0 in a new room
	HeadEpoch   uint64   `json:"he"`    // epoch of that record
	Epoch       uint64   `json:"epoch"` // of the ownership that answers
}

// UserMessage is a message. For an ancestor only r, u, c are written; a shard
// writes all (Seq is never 0 there, and decides the form).
type UserMessage struct {
	Room    string `json:"r"`
	User    string `json:"u"`
	Content string `json:"c"`
	ID      string `json:"id"`    // the client message id its sender gave
	Seq     uint64 `json:"seq"`   // number in the room, 1, 2, 3 ... over records of all kinds
	Epoch   uint64 `json:"epoch"` // of the ownership that stored it
	Time    int64  `json:"t"`     // owner's clock, Unix milliseconds
}

// TopicChanged is a record: somebody changed the description.
type TopicChanged struct {
	Room  string `json:"r"`
	User  string `json:"u"`
	Topic string `json:"d"`
	ID    string `json:"id"`
	Seq   uint64 `json:"seq"`
	Epoch uint64 `json:"epoch"`
	Time  int64  `json:"t"`
}

// Kinds of a record in HistoryPage.
const (
	KindMessage = "message"
	KindTopic   = "topic"
)

// Record is one entry of HistoryPage. Unknown kinds are shown as nothing, and
// still count in the sequence.
type Record struct {
	Kind    string `json:"k"`
	Seq     uint64 `json:"seq"`   // number in the room
	Epoch   uint64 `json:"epoch"` // of the ownership that stored it
	User    string `json:"u"`     // author
	ID      string `json:"id"`    // the client message id its author gave
	Time    int64  `json:"t"`     // owner's clock, Unix milliseconds
	Content string `json:"c"`     // a message's content, a topic's new topic
}

// HistoryPage answers History: records in ascending order without a gap. A
// page may hold fewer than asked for (MaxEventFrame); More says that records
// exist beyond it in the direction asked for.
type HistoryPage struct {
	Room    string   `json:"r"`
	Records []Record `json:"records"`
	Head    uint64   `json:"head"`  // sequence of the room's newest record; 0 in a new room
	Epoch   uint64   `json:"epoch"` // of the ownership that answers
	More    bool     `json:"more"`
	Tag     string   `json:"tag,omitempty"`
}

// HistoryCut tells a reader that the log lost the end it had seen: records
// behind At that it knows no longer exist. At is the newest sequence that both
// may share; the stream goes on from At+1.
type HistoryCut struct {
	Room string `json:"r"`
	At   uint64 `json:"at"`
}

// Welcome answers Hello.
type Welcome struct {
	Version int    `json:"v"`
	Session string `json:"s"`
	User    string `json:"u"`
	Role    string `json:"role"` // "router" or "shard"
	Name    string `json:"name"` // stable name of the server
	Boot    string `json:"boot"` // boot id of the server
	Ticket  string `json:"ticket,omitempty"`
	Expires int64  `json:"expires,omitempty"` // Unix milliseconds
	Cluster string `json:"cluster,omitempty"` // of a router: Keys.Cluster, the same whichever router greets
}

// Ticket carries a fresh ticket.
type Ticket struct {
	Ticket  string `json:"ticket"`
	Expires int64  `json:"expires"` // Unix milliseconds
}

// RoomLeft answers LeaveRoom.
type RoomLeft struct {
	Room string `json:"r"`
}

// RoomCreated answers CreateRoom.
type RoomCreated struct {
	Room        string `json:"r"`
	Description string `json:"d,omitempty"`
	Epoch       uint64 `json:"epoch"`
}

// RoomList answers ListRooms.
type RoomList struct {
	Rooms []Room `json:"rs"`
	Next  string `json:"next,omitempty"` // pass as After for the next page; empty: that was all
	Tag   string `json:"tag,omitempty"`
}

// Presence is the net change of a room's participants since the last one
// (aware clients; at most 4 a second and room).
type Presence struct {
	Room   string   `json:"r"`
	Joined []string `json:"joined,omitempty"`
	Left   []string `json:"left,omitempty"`
	Count  int      `json:"count"`
}

// PresenceList replaces all a client knew of a room's participants.
type PresenceList struct {
	Room  string   `json:"r"`
	Users []string `json:"us"` // sorted, at most MaxUsersListed
	Count int      `json:"count"`
}

// Located answers Locate.
type Located struct {
	Room      string `json:"r"`
	Partition int    `json:"p"`
	Shard     string `json:"shard"` // stable name
	Addr      string `json:"addr"`  // host:port for clients
	Epoch     uint64 `json:"epoch"` // 0: a guess; owners alone know
}

// Redirect replaces the answer to a command on a room that this shard does not
// own. The connection stays open. Ask at Addr; after two in a row ask a router.
type Redirect struct {
	Room      string `json:"r"`
	Partition int    `json:"p"`
	Shard     string `json:"shard,omitempty"`
	Addr      string `json:"addr,omitempty"`  // empty: nobody known, retry after Retry
	Epoch     uint64 `json:"epoch"`           // of the owner record quoted; 0 for a guess
	ID        string `json:"id,omitempty"`    // of the message concerned
	Retry     int64  `json:"retry,omitempty"` // milliseconds to wait before asking
}

// RoomMoving announces that a partition's rooms will soon be served elsewhere:
// connect to Addr now, go on here until RoomMoved.
type RoomMoving struct {
	Partition int      `json:"p"`
	Rooms     []string `json:"rs"` // those of the partition this session has joined
	Shard     string   `json:"shard"`
	Addr      string   `json:"addr"`
}

// RoomMoved tells that a partition's rooms are served elsewhere from now on:
// join there with After. What was not acknowledged is sent again there.
type RoomMoved struct {
	Partition int      `json:"p"`
	Rooms     []string `json:"rs"`
	Shard     string   `json:"shard,omitempty"`
	Addr      string   `json:"addr,omitempty"`    // empty: ask a router
	Epoch     uint64   `json:"epoch,omitempty"`   // of the new ownership; 0: not known
	Spread    int64    `json:"spread,omitempty"`  // milliseconds; wait a random part of it first
	Ticket    string   `json:"ticket,omitempty"`  // a fresh one, for the shard at Addr
	Expires   int64    `json:"expires,omitempty"` // when Ticket does by the sender's clock, Unix milliseconds
}

// Error refuses a command. The connection stays open unless Goodbye follows.
type Error struct {
	Code    string `json:"code"`            // one of the Code constants
	Message string `json:"m"`               // one sentence for people: what was wrong, what to do
	Room    string `json:"r,omitempty"`     // room concerned
	ID      string `json:"id,omitempty"`    // client message id concerned
	Tag     string `json:"tag,omitempty"`   // of the request concerned
	Retry   int64  `json:"retry,omitempty"` // milliseconds after which to try again; 0: do not
}

// PingEvent asks for a command Pong ("_et":"ping").
type PingEvent struct {
	N uint64 `json:"n"`
}

// PongEvent answers a command Ping ("_et":"pong").
type PongEvent struct {
	N uint64 `json:"n"`
}

// Goodbye is the last event of a connection.
type Goodbye struct {
	Reason string `json:"reason"` // one of the Code constants
}

// MemberStatus is one member in StatusReport: what gossip tells of it, and three
// numbers from the member itself.
type MemberStatus struct {
	Name     string `json:"name"`              // stable name
	Role     string `json:"role"`              // "router" or "shard"
	State    string `json:"state"`             // "joining", "active", "draining" or "leaving"
	Client   string `json:"client"`            // host:port for clients
	Gossip   string `json:"gossip"`            // host:port for other members
	Boot     string `json:"boot"`              // boot id
	Owned    int    `json:"owned"`             // partitions held now
	Rooms    int    `json:"rooms"`             // rooms open in memory
	Sessions int    `json:"sessions"`          // sessions of clients; of a router all connections
	Unknown  bool   `json:"unknown,omitempty"` // it was not asked or did not answer: the three numbers say nothing
	Cut      bool   `json:"cut,omitempty"`     // it cannot reach the room log or write to it: others serve in its place, unless all are cut
}

// StatusReport answers Status.
type StatusReport struct {
	Cluster    string         `json:"cluster"`
	Partitions int            `json:"partitions"`
	Table      string         `json:"table"` // version of the sender's table, hexadecimal
	Members    []MemberStatus `json:"members"`
}

// DrainProgress tells an operator how a drain goes on. A shard that could not
// give everything up says so in an Error at the end, and leaves all the same.
type DrainProgress struct {
	Name     string `json:"name"`
	Held     int    `json:"held"`     // partitions still held
	Sessions int    `json:"sessions"` // sessions still connected
	Left     bool   `json:"left"`     // the shard holds nothing and leaves now
}

// Answers of Yielded.
const (
	YieldNo       = "no"       // the holder's own table gives it the partition
	YieldReleased = "released" // acquire it now
	YieldQueued   = "queued"   // it will be released soon; send clients to the holder meanwhile
	YieldNotHeld  = "not_held" // the asked shard does not hold it
)

// Yielded answers Yield.
type Yielded struct {
	Partition int    `json:"p"`
	Answer    string `json:"a"`
}

// Offered answers Offer.
type Offered struct {
	Partition int  `json:"p"`
	OK        bool `json:"ok"`
}

// RoomReport carries all rooms of one partition, in pages (More: the list goes
// on in the next report of the same partition).
type RoomReport struct {
	Partition int    `json:"p"`
	Rooms     []Room `json:"rs"`
	First     bool   `json:"first"` // first page: replaces what was known of the partition
	More      bool   `json:"more,omitempty"`
}
