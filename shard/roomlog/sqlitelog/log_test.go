package sqlitelog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/roomlogtest"
)

func implementation() roomlogtest.Implementation {
	return roomlogtest.Implementation{
		Fresh:     func(t *testing.T) string { return t.TempDir() },
		Open:      func(dir string) (roomlog.Log, error) { return Open(dir, Options{}) },
		Processes: true,
		Locks:     true,
	}
}

func TestMain(m *testing.M) { roomlogtest.Main(m, implementation()) }

func TestConformance(t *testing.T) { roomlogtest.Test(t, implementation()) }

func open(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestReadingMakesNoFile(t *testing.T) {
	l := open(t, t.TempDir())
	if _, err := l.Owner(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.dir + "/partitions/003.db"); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading made a file")
	}
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if err := os.WriteFile(dir+"/cluster.json", []byte(`{"identity":"x","schema":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer schema: %v", err)
	}
	file := dir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func BenchmarkAppend(b *testing.B) {
	roomlogtest.BenchmarkAppend(b, func(b *testing.B) roomlog.Log {
		l, err := Open(b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		return l
	}, nil)
}

// TestAppendOfADeposedOwnerIsFencedThoughItsFileWasClosed: whoever learns first
// that it was deposed lets go of the file; an append that had begun before must
// still hear why it did not enter.
func TestAppendOfADeposedOwnerIsFencedThoughItsFileWasClosed(t *testing.T) {
	l, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	own, err := l.Acquire(t.Context(), 7, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "1"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.part(7, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(t.Context(), 7, own, roomlog.Owner{Name: "s2", Boot: "2"}); err != nil {
		t.Fatal(err)
	}
	l.CloseIdle(7)
	known, err := p.appending(false, func(w *writer) error {
		now, _, err := w.owner()
		if now == own.Epoch {
			t.Error("the owner has not changed")
		}
		return errors.Join(roomlog.ErrFenced, err)
	})
	if !known || !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("known %t, %v", known, err)
	}
}

// TestDirectoriesOfAnyName: a name may hold what means something in an address
// of SQLite's; the rooms must be kept in it, and nothing beside it.
func TestDirectoriesOfAnyName(t *testing.T) {
	for _, name := range []string{"a#b", "what?", "p%41q", "[1] c\\d", "file:x", "ü & 1=2;"} {
		t.Run(name, func(t *testing.T) {
			around := t.TempDir()
			t.Chdir(around)
			for _, dir := range []string{name, filepath.Join(around, "whole "+name)} {
				l := open(t, dir)
				own, err := l.Acquire(t.Context(), 7, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "1"})
				if err != nil {
					t.Fatalf("%s: %v", dir, err)
				}
				if err := l.Append(t.Context(), 7, own.Epoch, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); err != nil {
					t.Errorf("%s: %v", dir, err)
				}
				if rooms, err := l.Rooms(t.Context(), 7, "", 10); err != nil || len(rooms) != 1 {
					t.Errorf("%s: %v, %v", dir, rooms, err)
				}
				if _, err := os.Stat(filepath.Join(dir, "partitions", "007.db")); err != nil {
					t.Error(err)
				}
			}
			entries, err := os.ReadDir(around)
			if err != nil || len(entries) != 2 {
				t.Errorf("beside the two directories: %v, %v", entries, err)
			}
		})
	}
}
