package membershiptest

import (
	"testing"
	"time"
)

// Within waits until done, on a bubble's clock or the real one, and returns how
// long it took. The test ends where that is longer than limit.
func Within(t testing.TB, what string, limit time.Duration, done func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > limit {
			t.Fatalf("%s did not happen within %s", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}
