//go:build !linux

package stress

import (
	"errors"
	"time"
)

var errNotHere = errors.New("what another process uses is told on Linux only")

func usageOf(int) (Usage, error) { return Usage{}, errNotHere }

func busy() (time.Duration, error) { return 0, errNotHere }

// Listener finds the process of this machine that listens at addr.
func Listener(string) (int, error) { return 0, errNotHere }

// raiseDescriptors relies on Go's runtime, which raises the limit as far as it can.
func raiseDescriptors(uint64) error { return nil }
