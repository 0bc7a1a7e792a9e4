package sqlitelog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestADirectoryHasOneCluster: two that share it would share rooms, though each
// has members, tickets and gossip of its own.
func TestADirectoryHasOneCluster(t *testing.T) {
	before := t.TempDir()
	open(t, before) // as an earlier version did, or an import: it names no cluster
	for name, dir := range map[string]string{"a new directory": t.TempDir(), "that of an earlier version": before} {
		t.Run(name, func(t *testing.T) {
			mine := Options{Cluster: "a", Partitions: 271}
			var identity string
			for range 2 { // the second finds what the first has kept
				l, err := Open(dir, mine)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close() //nolint:errcheck // nothing was written
				if identity != "" && l.Identity() != identity {
					t.Errorf("the directory was %s and is %s", identity, l.Identity())
				}
				identity = l.Identity()
			}
			for _, refused := range []struct {
				opts Options
				says string
			}{
				{Options{Cluster: "b", Partitions: 271}, `--cluster a`},
				{Options{Cluster: "a", Partitions: 16}, `271 partitions`},
				{Options{Partitions: 16}, `271 partitions`},
			} {
				if _, err := Open(dir, refused.opts); err == nil || !strings.Contains(err.Error(), refused.says) {
					t.Errorf("%+v: %v; want a word of %q", refused.opts, err, refused.says)
				}
			}
			if l, err := Open(dir, Options{Partitions: 271}); err != nil {
				t.Errorf("whoever is of no cluster: %v", err)
			} else if err := l.Close(); err != nil {
				t.Error(err)
			}
			if left, err := filepath.Glob(dir + "/cluster.json?*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if info, err := os.Stat(dir + "/cluster.json"); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		})
	}
}
