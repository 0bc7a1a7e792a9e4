package sqlitelog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"positivity-exchange/shard/roomlog"
)

// nobody is a user who has nothing.
const nobody = 65534

// commonDir is a directory that others can reach; only root can be others.
func commonDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asNobody runs f as another user, as far as files go.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with f
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// give makes all of a directory another user's.
func give(t *testing.T, dir string, uid int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, -1)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnEntryOfAnotherUserIsSkipped: a process that somebody else started in the
// directory must not cut off those that serve there, nor stay in their way once
// it is gone.
func TestAnEntryOfAnotherUserIsSkipped(t *testing.T) {
	l := open(t, commonDir(t))
	give(t, l.dir, nobody)
	asNobody(t, func() {
		if err := l.Register(t.Context(), roomlog.Process{Name: "s1", Boot: "1"}); err != nil {
			t.Error(err)
		}
	})
	if err := l.Register(t.Context(), roomlog.Process{Name: "s9", Boot: "9"}); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if entries, err := l.Entries(t.Context()); err != nil || len(entries) != 1 || entries[0].Boot != "1" {
			t.Errorf("the roll with an entry of root's: %+v, %v", entries, err)
		}
		if _, err := l.Beat(t.Context(), "1", nil); err != nil {
			t.Errorf("a heartbeat: %v", err)
		}
	})
	give(t, l.dir+"/roll/1.json", 0)
	asNobody(t, func() {
		if _, err := l.Beat(t.Context(), "1", nil); !errors.Is(err, fs.ErrPermission) || errors.Is(err, roomlog.ErrNameTaken) {
			t.Errorf("a heartbeat while the entry is root's, which does not mean that the name is lost: %v", err)
		}
	})
}

// TestTheDirectoryOfAnotherUserIsRefused: what this process makes there its owner
// could not read. Root is refused too, who may do all and so breaks most.
func TestTheDirectoryOfAnotherUserIsRefused(t *testing.T) {
	dir := commonDir(t)
	open(t, dir)
	asNobody(t, func() {
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "permission") {
			t.Errorf("root's directory, as nobody: %v", err)
		}
	})
	give(t, dir, nobody)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("nobody's directory, as root: %v", err)
	}
	asNobody(t, func() {
		l, err := Open(dir, Options{})
		if err != nil {
			t.Errorf("nobody's directory, as nobody: %v", err)
			return
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	// Made by somebody beforehand, as for a container's volume, it is not theirs:
	// what counts is whose its files are.
	given := t.TempDir()
	if err := os.Chown(given, nobody, -1); err != nil {
		t.Fatal(err)
	}
	open(t, given)
	open(t, given)
}

// TestAFileThatWasNotWritableForAWhile: once its permissions are mended appends
// and acquisitions go on, without a restart.
func TestAFileThatWasNotWritableForAWhile(t *testing.T) {
	dir := commonDir(t)
	give(t, dir, nobody)
	me := roomlog.Owner{Name: "s1", Boot: "1"}
	created := []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}
	var own roomlog.Owner
	var err error
	asNobody(t, func() {
		l := open(t, dir)
		if own, err = l.Acquire(t.Context(), 3, roomlog.Owner{}, me); err != nil {
			t.Error(err)
		}
		l.CloseIdle(3)
	})
	file := filepath.Join(dir, "partitions", "003.db")
	for name, write := range map[string]func(l *Log) error{
		"an append": func(l *Log) error { return l.Append(t.Context(), 3, own.Epoch, created) },
		"an acquisition": func(l *Log) error {
			_, err := l.Acquire(t.Context(), 3, own, me)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			give(t, file, 0)
			asNobody(t, func() {
				l := open(t, dir)
				if now, err := l.Owner(t.Context(), 3); err != nil || now.Epoch != own.Epoch {
					t.Errorf("a file that can only be read: %+v, %v", now, err)
				}
				if err := write(l); !errors.Is(err, roomlog.ErrRefused) {
					t.Errorf("to a file of root's: %v", err)
				}
				// Root takes its hand off; a file keeps its user's wish to write it.
				done := make(chan error)
				go func() { done <- os.Chown(file, nobody, -1) }()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if err := write(l); err != nil {
					t.Errorf("once it is mended: %v", err)
				}
				if own, err = l.Owner(t.Context(), 3); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
