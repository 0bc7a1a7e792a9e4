//go:build !linux

package roomlog

import "errors"

// ThisProcess cannot identify the process on this system.
func ThisProcess() OSProcess { return OSProcess{} }

// ProcessGone cannot be told on this system; silence on the roll decides alone.
func ProcessGone(OSProcess) (known, gone bool) { return false, false }

// ProcessStat cannot be told on this system.
func ProcessStat(int) (state byte, start uint64, err error) {
	return 0, 0, errors.New("no process table to read on this system")
}
