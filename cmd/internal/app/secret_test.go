package app

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
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
		warned := strings.Contains(startWith(t, Config{Data: dir, Secret: c.secret}), dir)
		if warned != c.warned {
			t.Errorf("secret %q: warned %v, want %v", c.secret, warned, c.warned)
		}
	}
}

// TestSecretThatOthersCanReadIsAWarning: whoever has it is an operator. One made
// as a shell makes files is readable by all.
func TestSecretThatOthersCanReadIsAWarning(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no such mode here")
	}
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o644: true} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(strings.Repeat("07", 32)), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(startWith(t, Config{Data: t.TempDir(), SecretFile: file}), file); got != warned {
			t.Errorf("mode %o: warned %v, want %v", mode, got, warned)
		}
		// What is not used does not matter.
		if said := startWith(t, Config{Data: filepath.Dir(file), Secret: strings.Repeat("07", 32)}); said != "" {
			t.Errorf("mode %o, but the secret is in the environment: %s", mode, said)
		}
	}
}

// startWith returns what a shard warns of when it starts.
func startWith(t *testing.T, cfg Config) string {
	t.Helper()
	var said bytes.Buffer
	cfg.Name, cfg.Listen, cfg.Gossip = "s1", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := NewShard(cfg, memlog.NewStore().Open())
	if err != nil {
		t.Fatal(err)
	}
	warned := said.String()
	ended, end := context.WithCancel(t.Context())
	end()
	s.Run(ended) //nolint:errcheck // it only closes what was bound
	return warned
}
