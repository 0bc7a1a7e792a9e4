package comms

import (
	"net"
	"time"
)

// AppendCommand appends c as one line with CR LF. AppendEvent likewise.
func AppendCommand(dst []byte, c Command) []byte { panic("contract") }

// AppendEvent appends e as one line with CR LF. For UserMessage it allocates nothing beyond dst.
func AppendEvent(dst []byte, e Event) []byte { panic("contract") }

// DecodeCommand reads one line (without or with its line end). Its error is a
// *Error with the code of what was wrong, ready to be sent. Unknown fields are skipped.
func DecodeCommand(line []byte) (Command, error) { panic("contract") }

// DecodeEvent reads one line. An event of an unknown type is (nil, nil): skip it.
func DecodeEvent(line []byte) (Event, error) { panic("contract") }

// Error implements error.
func (e *Error) Error() string { return e.Message }

// CheckRoomName, CheckUserName, CheckContent, CheckDescription and CheckID return nil or a *Error that says what is wrong.
func CheckRoomName(s string) error    { panic("contract") }
func CheckUserName(s string) error    { panic("contract") }
func CheckContent(s string) error     { panic("contract") }
func CheckDescription(s string) error { panic("contract") }
func CheckID(s string) error          { panic("contract") }

// Keys signs and checks tickets; derived (HKDF-SHA256) from the cluster's secret.
type Keys struct{ _ [32]byte }

// NewKeys derives the keys from the cluster's 32-byte secret.
func NewKeys(secret []byte) Keys { panic("contract") }

// Issue signs a ticket for user in a role (AsClient, AsMember with the boot's name as user, AsOperator).
func (k Keys) Issue(role, user string, now time.Time) (ticket string, expires time.Time) {
	panic("contract")
}

// Check returns nil, or a *Error with CodeBadTicket or CodeExpired.
func (k Keys) Check(ticket, role, user string, now time.Time) error { panic("contract") }

// Reader reads frames of one connection; it holds a buffer only while bytes are there.
type Reader struct{}

// NewReader reads frames of at most max bytes from nc. It sets nc's read
// deadline: idle while no frame has begun (0: none), FrameTimeout from a frame's first byte.
func NewReader(nc net.Conn, max int, idle time.Duration) *Reader { panic("contract") }

// SetIdle changes the idle deadline from the next frame on.
func (r *Reader) SetIdle(d time.Duration) { panic("contract") }

// Next returns the next frame without its line end, valid until the next call.
// Errors: io.EOF, os.ErrDeadlineExceeded (idle), *Error with CodeFrameTooLong or CodeFrameTimeout, or the network's.
func (r *Reader) Next() ([]byte, error) { panic("contract") }

// NewClientID returns ids unique to this process's life: 96 random bits once, and a counter.
type IDSource struct{}

// NewIDSource draws the random part.
func NewIDSource() *IDSource { panic("contract") }

// Next returns the next id.
func (s *IDSource) Next() string { panic("contract") }
