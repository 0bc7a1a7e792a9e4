//go:build unix

package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes a lock that ends with f or the process; false: another has it.
func lock(f *os.File) bool {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return err != unix.EWOULDBLOCK // a file system that knows no locks is no reason not to write there
}
