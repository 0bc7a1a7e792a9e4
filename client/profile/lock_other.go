//go:build !unix

package profile

import "os"

// lockFile cannot tell on this system whether another client is there.
func lockFile(path string) (*os.File, error) { return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) }
