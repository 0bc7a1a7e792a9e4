//go:build unix

package rawconn

import (
	"io"
	"os"
	"syscall"
)

const available = true

// Read reads what is there: ErrWouldBlock if nothing is, io.EOF at the end.
func Read(fd uintptr, b []byte) (int, error) {
	for {
		switch n, errno := read(fd, b); {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case errno != 0:
			return 0, os.NewSyscallError("read", errno)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes what the peer takes now, perhaps not all; ErrWouldBlock if nothing.
func Write(fd uintptr, b []byte) (int, error) {
	for {
		switch n, errno := write(fd, b); {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case errno != 0:
			return 0, os.NewSyscallError("write", errno)
		default:
			return n, nil
		}
	}
}
