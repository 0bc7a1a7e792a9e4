//go:build !failpoint || !linux

package failpoint

// Enabled tells whether this binary was built with its failpoints.
const Enabled = false

// Hit does nothing in this build.
func Hit(string) {}

// Fails is never true in this build.
func Fails(string) bool { return false }
