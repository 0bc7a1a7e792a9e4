package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// routerPort is where a router listens unless it is told otherwise.
const routerPort = "8080"

// ParseRouters takes the addresses out of a list with commas, as people type
// it: host:port, or a host alone where the router listens at its usual port.
func ParseRouters(list string) ([]string, error) {
	var addrs []string
	for _, typed := range strings.Split(list, ",") {
		if typed = strings.TrimSpace(typed); typed == "" {
			continue
		}
		addr, err := parseRouter(typed)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, errors.New("no router is named; use host:port")
	}
	return addrs, nil
}

func parseRouter(typed string) (string, error) {
	host, port, err := net.SplitHostPort(typed)
	if err != nil && (!strings.Contains(typed, ":") || net.ParseIP(strings.Trim(typed, "[]")) != nil) {
		host, err = strings.Trim(typed, "[]"), nil
	}
	if port == "" {
		port = routerPort
	}
	if err == nil {
		_, err = net.LookupPort("tcp", port) // of a service's name it has its own list, too
	}
	if err != nil || strings.ContainsAny(host, "/ ") {
		return "", fmt.Errorf("%q is no router's address; use host:port", typed)
	}
	return net.JoinHostPort(host, port), nil
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
