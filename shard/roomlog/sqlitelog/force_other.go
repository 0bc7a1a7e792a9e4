//go:build !linux

package sqlitelog

import "positivity-exchange/shard/roomlog"

func checkFileSystem(string) error { return nil }

// lockHolder cannot be told on this system: a stopped writer is waited for.
func lockHolder(string) roomlog.OSProcess { return roomlog.OSProcess{} }
