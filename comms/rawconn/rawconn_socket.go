//go:build linux && !386 && !s390x && !race

package rawconn

import (
	"syscall"
	"unsafe"
)

// A descriptor that never blocks need not tell the scheduler that it might,
// which wakes the runtime's monitor thread whenever the process was idle before:
// a tenth of the processor time where a message comes now and then. And a
// socket's own calls spare what read and write do for files: 5 % of what small
// rooms cost. Where these calls have no numbers of their own the portable way is
// taken, and under the race detector, which learns from it what a message orders.

func read(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func write(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}
