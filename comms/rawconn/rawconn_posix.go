//go:build unix && (!linux || 386 || s390x || race)

package rawconn

import "syscall"

func read(fd uintptr, b []byte) (int, syscall.Errno) { return result(syscall.Read(int(fd), b)) }

func write(fd uintptr, b []byte) (int, syscall.Errno) { return result(syscall.Write(int(fd), b)) }

func result(n int, err error) (int, syscall.Errno) {
	if err == nil {
		return n, 0
	}
	errno, ok := err.(syscall.Errno) //nolint:errorlint // as package syscall gives them, and without an allocation
	if !ok {
		errno = syscall.EIO
	}
	return n, errno
}
