//go:build unix

package membership

import (
	"errors"
	"syscall"
)

// ended tells whether there is no process of that number.
func ended(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
