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
		switch n, err := syscall.Read(int(fd), b); {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case err != nil:
			return 0, os.NewSyscallError("read", err)
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
		switch n, err := syscall.Write(int(fd), b); {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case err != nil:
			return 0, os.NewSyscallError("write", err)
		default:
			return n, nil
		}
	}
}
