package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"positivity-exchange/shard/roomlog/memlog"
)

// TestAnotherSecretThanTheDirectorysIsAWarning: its members would not let one
// another in, and each is ready as if it were alone.
func TestAnotherSecretThanTheDirectorysIsAWarning(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		secret string
		warned bool
	}{{"", false}, {strings.Repeat("07", 32), true}, {"", false}} {
		var said bytes.Buffer
		s, err := NewShard(Config{
			Name: "s1", Data: dir, Secret: c.secret, Listen: "127.0.0.1:0", Gossip: "127.0.0.1:0",
			Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn})),
		}, memlog.NewStore().Open())
		if err != nil {
			t.Fatal(err)
		}
		warned := strings.Contains(said.String(), dir)
		ended, end := context.WithCancel(t.Context())
		end()
		s.Run(ended) //nolint:errcheck // it only closes what was bound
		if warned != c.warned {
			t.Errorf("secret %q: warned %v, want %v", c.secret, warned, c.warned)
		}
	}
}
