package client

import (
	"context"
	"log/slog"
	"net"

	"positivity-exchange/comms"
)

// Options configures a Session.
type Options struct {
	Routers []string     // host:port, tried in turn; the next is taken when one is gone
	User    string       // name wished for; empty: a guest name from the router
	Logger  *slog.Logger // nil: discards
	// Dial opens connections to routers and shards; nil means TCP with comms.DialTimeout.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// EventBuffer is how many events wait for the reader of Events before the
	// session stops reading from its connections. 0 means 256.
	EventBuffer int
}

// Session is one logical session over routers and shards. It locates rooms,
// connects, follows redirects, resumes and sends again by itself, until Close.
type Session struct{}

// Connect logs in at the first router that answers. It fails when none does
// before ctx ends, or when the login is refused for good (*Refused).
func Connect(ctx context.Context, opts Options) (*Session, error) { panic("contract") }

// Close ends the session and waits for everything it started. Events is closed then.
func (s *Session) Close() error { panic("contract") }

// User is the name the router gave.
func (s *Session) User() string { panic("contract") }

// Events yields everything that happens, in order per room. It must be read:
// while it is full the session reads nothing from the network.
func (s *Session) Events() <-chan Event { panic("contract") }

// Join joins a room; with after, what was missed since follows as Message events.
// It returns once the first owner answered; later re-joins happen by themselves.
func (s *Session) Join(ctx context.Context, room string, after *comms.Position) (Joined, error) {
	panic("contract")
}

// Leave leaves a room. Messages not yet acknowledged in it fail.
func (s *Session) Leave(ctx context.Context, room string) error { panic("contract") }

// Post queues a message in a joined room and returns its client id at once.
// It is sent, and sent again through moves and crashes, until Message{Mine} or
// SendFailed with that id arrives.
func (s *Session) Post(room, content string) (id string, err error) { panic("contract") }

// PostTopic is Post for a new description.
func (s *Session) PostTopic(room, topic string) (id string, err error) { panic("contract") }

// Repost queues a message again under the id it had in an earlier session of
// the same user; seen is the head its sender knew when it first posted.
func (s *Session) Repost(room, content, id string, seen uint64) error { panic("contract") }

// Send is Post that waits for the acknowledgement.
func (s *Session) Send(ctx context.Context, room, content string) (Message, error) {
	panic("contract")
}

// Unacknowledged lists the ids posted and not yet acknowledged, oldest first.
func (s *Session) Unacknowledged() []Pending { panic("contract") }

// History asks the owner for one page of records.
func (s *Session) History(ctx context.Context, q comms.History) (comms.HistoryPage, error) {
	panic("contract")
}

// Rooms asks a router for one page of the room list.
func (s *Session) Rooms(ctx context.Context, q comms.ListRooms) (comms.RoomList, error) {
	panic("contract")
}

// Create makes a room.
func (s *Session) Create(ctx context.Context, room, description string) error { panic("contract") }

// Where asks the owner of a room where it is served, and under which epoch.
func (s *Session) Where(ctx context.Context, room string) (comms.Located, error) { panic("contract") }

// Status asks a router for the state of the cluster.
func (s *Session) Status(ctx context.Context) (comms.StatusReport, error) { panic("contract") }

// Pending is a message whose fate is not known yet.
type Pending struct {
	Room, ID, Content string
	Seen              uint64
}

// Event is one of Message, Joined, Left, Presence, People, Cut, SendFailed, RoomLink, RouterLink.
type Event interface{ event() }

// Message is a record of a room: a message (comms.KindMessage) or another kind.
// Every sequence arrives exactly once, in order, whatever happened to the cluster.
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
	Err      error // *Refused
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
	Err  error
}

// Refused is a server's final refusal.
type Refused struct {
	Code    string
	Message string
}

func (e *Refused) Error() string { return e.Message }

func (Message) event()    {}
func (Joined) event()     {}
func (Left) event()       {}
func (Presence) event()   {}
func (People) event()     {}
func (Cut) event()        {}
func (SendFailed) event() {}
func (RoomLink) event()   {}
func (RouterLink) event() {}
