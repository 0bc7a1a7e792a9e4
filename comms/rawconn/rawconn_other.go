//go:build !unix

package rawconn

import "errors"

const available = false

// Read is never called: Of returns nil.
func Read(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Write is never called: Of returns nil.
func Write(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
