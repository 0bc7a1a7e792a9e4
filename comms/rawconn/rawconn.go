// Package rawconn reads and writes TCP connections through their descriptors
// without ever blocking, so that a silent peer costs no buffer and a slow one
// no goroutine. The runtime's poller keeps its part: Go's net package holds the
// descriptor while a call runs, so it cannot be closed and reused meanwhile.
//
// Where there are no such descriptors (Windows, TLS, pipes), Of returns nil and
// callers go through net.Conn.
package rawconn

import (
	"errors"
	"net"
	"syscall"
)

// ErrWouldBlock means that the peer has sent nothing, or takes nothing, now.
var ErrWouldBlock = errors.New("the connection would block")

// Of returns access to nc's descriptor, nil if it has none that can be used.
func Of(nc net.Conn) syscall.RawConn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || !available {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
