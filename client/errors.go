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

// ErrClosed is returned by calls on a closed Session.
var ErrClosed = errors.New("the session is closed")

// ErrNotJoined is returned by Post in a room that was not joined.
var ErrNotJoined = errors.New("not in the room: join it first")

// ErrLeft is returned by Join if Leave came before the room was joined.
var ErrLeft = errors.New("the room was left before it was joined")

// RefusedError is a server's final refusal.
type RefusedError struct {
	Code    string
	Message string
}

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

// UnreachableError is what Connect returns when no router answered before its context
// ended.
type UnreachableError struct {
	Routers []string
	Err     error // what went wrong last, if anything did, and the context's end
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
	switch {
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
