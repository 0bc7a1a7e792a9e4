//go:build !failpoint || !linux

package failpoint

// Hit does nothing in this build.
func Hit(string) {}

// Fails is never true in this build.
func Fails(string) bool { return false }
