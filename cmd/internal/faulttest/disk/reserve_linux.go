package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve takes most of what is free without writing it, which would take long
// on a large disk, and leaves f's end behind that.
func reserve(f *os.File) error {
	var end int64
	for size := int64(1 << 40); size >= 1<<20; {
		err := unix.Fallocate(int(f.Fd()), 0, end, size)
		switch {
		case err == nil:
			end += size
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EFBIG):
			size /= 2
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP):
			return nil
		default:
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
	return nil
}
