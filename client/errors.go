package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"positivity-exchange/comms"
)

// ErrClosed is returned by calls on a closed Session, and by those that Close ends.
var ErrClosed = errors.New("the session is closed")

// ErrNotJoined is returned by Leave, Post and their like in a room that was not joined.
var ErrNotJoined = errors.New("not in the room: join it first")

// ErrLeft is returned by Join if Leave came before the room was joined.
var ErrLeft = errors.New("the room was left before it was joined")

// ErrAnotherCluster is in a RouterLink whose router is not of the cluster that the
// session is with: it hears of no room, and gets nothing that was written.
var ErrAnotherCluster = errors.New("another cluster answers")

// RefusedError is a refusal in a server's words. From a call, or in SendFailed or
// Left, it is final: the session does not try again. In RoomLink and Held, and beside
// the end of a call's context, it says what the session still waits for or did:
// comms.Retryable knows its code then.
//
//	err := session.Join(ctx, "general", nil)
//	var refused *client.RefusedError
//	if errors.As(err, &refused) && refused.Code == comms.CodeNoRoom {
//		err = session.Create(ctx, "general", "")
//	}
type RefusedError struct {
	Code    string // one of comms' constants that begin with Code, such as comms.CodeNoRoom
	Message string // for people, one line
}

// Error is the message alone: where it came from is said by who asked.
func (e *RefusedError) Error() string { return e.Message }

// checked makes the first error of comms' checks what the server would say.
func checked(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return &RefusedError{comms.AsError(err).Code, err.Error()}
		}
	}
	return nil
}

// UnreachableError is what Connect returns when no router answered before its
// context ended; errors.Is finds the context's error in it, too.
//
//	session, err := client.Connect(ctx, opts)
//	var unreachable *client.UnreachableError
//	if errors.As(err, &unreachable) {
//		log.Printf("is the cluster up? Asked was %q", unreachable.Routers)
//	}
type UnreachableError struct {
	Routers []string // of Options
	Err     error    // what went wrong last, if anything did, and the context's end
	last    error
}

// Error is one line, with the innermost reason alone.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("could not reach %s: %s", strings.Join(e.Routers, ","), reason(e.last))
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// reason says in a few words what err, of a dial or a first read, comes from.
// The address in it is said beside it.
func reason(err error) string {
	var name *net.DNSError
	var slow net.Error
	var call *os.SyscallError
	var op *net.OpError
	var line *comms.Error
	switch {
	case errors.As(err, &line) && (line.Code == comms.CodeNotJSON || line.Code == comms.CodeNotUTF8):
		return "what listens there is no router"
	case errors.As(err, &name) && !name.IsTimeout:
		return name.Err
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "no answer"
	case errors.Is(err, io.EOF):
		return "it closed the connection"
	case errors.As(err, &call):
		return call.Err.Error()
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}
