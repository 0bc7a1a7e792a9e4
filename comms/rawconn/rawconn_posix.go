//go:build unix && (!linux || 386 || s390x || race)

package rawconn

import (
	"errors"
	"syscall"
)

func read(fd uintptr, b []byte) (int, syscall.Errno) { return result(syscall.Read(int(fd), b)) }

func write(fd uintptr, b []byte) (int, syscall.Errno) { return result(syscall.Write(int(fd), b)) }

func result(n int, err error) (int, syscall.Errno) {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		errno = syscall.EIO
	}
	return n, errno
}
