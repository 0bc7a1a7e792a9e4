package comms

import (
	"errors"
	"fmt"
)

// Codes of Error and Goodbye. Append-only: a code keeps its meaning for ever.
// "slow" and "replaced" stood here and were never sent; they stay reserved.
const (
	CodeFrameTooLong = "frame_too_long" // a line over the limit; the connection ends
	CodeFrameTimeout = "frame_timeout"  // a line begun and not finished in time; the connection ends
	CodeNotJSON      = "not_json"       // the line is not one JSON object
	CodeNotUTF8      = "not_utf8"       // the line is not valid UTF-8, or has a lone surrogate
	CodeUnknownType  = "unknown_type"   // "_ct" is missing or not known here
	CodeBadField     = "bad_field"      // a field is missing, of the wrong type, or out of its range
	CodeBadRoom      = "bad_room_name"  // not 1 to 64 of a-z, 0-9 and '-'
	CodeBadUser      = "bad_user_name"  // not 1 to 32 of a-z, 0-9 and '-'
	CodeBadContent   = "bad_content"    // empty, or control characters
	CodeTooLong      = "content_too_long"
	CodeBadID        = "bad_id"
	CodeBadRange     = "bad_range"   // history or after of an impossible range
	CodeVersion      = "version"     // protocol versions do not fit
	CodeHelloFirst   = "hello_first" // a command before hello
	CodeHelloTwice   = "hello_twice"
	CodeBadTicket    = "bad_ticket"     // forged, broken, or for another user or role
	CodeExpired      = "ticket_expired" // renew at a router
	CodeNotAllowed   = "not_allowed"    // the role does not permit the command
	CodeNoRoom       = "no_room"        // the room does not exist
	CodeRoomExists   = "room_exists"
	CodeJoined       = "already_joined"
	CodeNotJoined    = "not_joined"
	CodeConflict     = "id_conflict"     // the same client message id with other content
	CodeOutOfOrder   = "out_of_order"    // an earlier refused message must come again first
	CodePending      = "pending"         // the same id is being looked for in the log; wait for its answer
	CodeNoShard      = "no_shard"        // no shard can serve now; retry
	CodeNotReady     = "not_ready"       // retry: starting, moving, or taking over
	CodeStorage      = "storage"         // the log refused (disk full, read-only); retry
	CodeUnknownFate  = "unknown_outcome" // the log did not answer; send again with the same id
	CodeShutdown     = "shutdown"
	CodeIdle         = "idle" // nothing heard for too long
	CodeInternal     = "internal"
	CodeTooMany      = "too_many" // a limit of rooms, sessions or requests is reached
	CodeNoSuchMember = "no_such_member"
	CodeTLS          = "tls"  // one end speaks TLS and the other does not; the connection ends
	CodeQuit         = "quit" // of Goodbye: the client said quit, or its connection ended
)

// Retryable reports whether the command with this code may succeed unchanged
// when sent again later.
func Retryable(code string) bool {
	switch code {
	case CodeNoShard, CodeNotReady, CodeStorage, CodeUnknownFate, CodeOutOfOrder, CodePending, CodeShutdown:
		return true
	}
	return false
}

// Error makes an *Error usable as a Go error; the code is its identity.
func (e *Error) Error() string { return e.Message }

// AsError returns the *Error within err, or one of CodeInternal that does not
// show what went wrong inside.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: "something went wrong in the server; try again"}
}

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
