package roomlog

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// What an append survives: with SyncNormal that its process is killed, with
// SyncFull a power cut too.
const (
	SyncNormal = "normal"
	SyncFull   = "full"
)

// ParseSync reads what a person asked an append to survive; "" is SyncNormal.
func ParseSync(s string) (string, error) {
	switch s {
	case "", SyncNormal:
		return SyncNormal, nil
	case SyncFull:
		return SyncFull, nil
	}
	return "", fmt.Errorf("use %s or %s", SyncNormal, SyncFull)
}

// SyncDir lets the names in a directory survive a power cut, where the file
// system can do that.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
