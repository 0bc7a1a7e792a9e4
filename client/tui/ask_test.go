package tui

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestWhyThereIsNoAnswer is not that nobody gave one, where a shard has refused
// until the time was over.
func TestWhyThereIsNoAnswer(t *testing.T) {
	late := context.DeadlineExceeded
	for want, err := range map[string]error{
		"no answer from the cluster":       fmt.Errorf("ask the owner of #go: %w", late),
		"not done yet: the disk is full":   fmt.Errorf("ask the owner of #go: %w: %w", late, &client.RefusedError{Code: comms.CodeStorage, Message: "the disk is full"}),
		"there is a room #go already":      &client.RefusedError{Code: comms.CodeRoomExists, Message: "there is a room #go already"},
		"something that nobody thought of": errors.New("something that nobody thought of"),
	} {
		if got := why(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
