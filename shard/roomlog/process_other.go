//go:build !linux

package roomlog

// ThisProcess cannot identify the process on this system.
func ThisProcess() OSProcess { return OSProcess{} }

// ProcessGone cannot be told on this system; silence on the roll decides alone.
func ProcessGone(OSProcess) (known, gone bool) { return false, false }
