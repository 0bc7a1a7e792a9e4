package faulttest

import (
	"errors"
	"testing"

	"positivity-exchange/cmd/internal/faulttest/netns"
)

// newSite is ground of its own for a cluster, or the test is skipped.
func newSite(t *testing.T) *Site {
	t.Helper()
	s, err := NewSite()
	if errors.Is(err, netns.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// diskSize holds what the fast tier writes.
const diskSize = 96 << 20
