//go:build !linux

package twin

import "os/exec"

// runSeeded runs a process; its runtime's randomness cannot be seeded here.
func runSeeded(cmd *exec.Cmd, _ uint64) (seeded bool, err error) { return false, cmd.Run() }

func freshThread() error { return nil }
