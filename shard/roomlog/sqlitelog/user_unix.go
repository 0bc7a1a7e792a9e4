//go:build unix

package sqlitelog

import (
	"errors"
	"fmt"
	"syscall"
)

// sameUser refuses a directory in which what we make belongs to another user
// than what is there: root may write everywhere, but the processes that serve
// there could not read it. That of whoever made the directory, or runs this
// process, tells nothing: a volume may be given, or show all as one user's.
func sameUser(dir, there, made string) error {
	var theirs, ours syscall.Stat_t
	if err := errors.Join(syscall.Stat(there, &theirs), syscall.Stat(made, &ours)); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	if theirs.Uid != ours.Uid {
		return fmt.Errorf("data directory %s belongs to another user (number %d, this is %d): run px as that one, or name another directory with --data",
			dir, theirs.Uid, ours.Uid)
	}
	return nil
}
