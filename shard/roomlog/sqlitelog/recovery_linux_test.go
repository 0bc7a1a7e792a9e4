package sqlitelog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"positivity-exchange/shard/roomlog"
)

// recovering names a -shm file to a process that stands still while it rebuilds
// the index of a write-ahead log.
const recovering = "PX_TEST_RECOVERING"

func init() {
	path := os.Getenv(recovering)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	// As SQLite does: the lock of whoever has the file open, then those of a
	// recovery (write, checkpoint, recover); the index is not whole meanwhile.
	for _, l := range []unix.Flock_t{{Type: unix.F_RDLCK, Start: 128, Len: 1}, {Type: unix.F_WRLCK, Start: walWriteLock, Len: 3}} {
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &l); err != nil {
			panic(err)
		}
	}
	if _, err := f.WriteAt(make([]byte, 136), 0); err != nil {
		panic(err)
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // until the test ends it
	os.Exit(0)
}

// TestStoppedInARecovery: the first to open a partition after its owner was
// killed rebuilds its index, and one that is stopped in it is in the way of
// everybody who reads. Who it is must be told, as of one stopped in a write.
func TestStoppedInARecovery(t *testing.T) {
	t.Run("on a disk", func(t *testing.T) { stoppedInARecovery(t, t.TempDir()) })
	t.Run("where files and locks have different devices", func(t *testing.T) { stoppedInARecovery(t, layered(t)) })
}

// layered is a directory in which, as on btrfs, the device of a file is not the
// one that the kernel names with a lock of it.
func layered(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	under := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lower, upper, work, merged := under("lower"), under("upper"), under("work"), under("merged")
	mount := func(source, target, kind, options string) {
		if err := unix.Mount(source, target, kind, 0, options); err != nil {
			t.Skipf("a %s cannot be had here: %v", kind, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(target, 0); err != nil {
				t.Error(err)
			}
		})
	}
	mount("px", lower, "tmpfs", "size=1m") // another file system than upper's: that makes the difference
	mount("px", merged, "overlay", fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work))
	return merged
}

func stoppedInARecovery(t *testing.T, dir string) {
	l := open(t, dir)
	if _, err := l.Acquire(t.Context(), 3, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "1"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), recovering+"="+filepath.Join(dir, "partitions", "003.db-shm"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close() //nolint:errcheck // it ends
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatal(line, err)
	}
	fresh := open(t, dir) // this process's locks would not be in its own way
	var blocked *roomlog.BlockedError
	for deadline := time.Now().Add(5 * time.Second); blocked == nil || blocked.For < 500*time.Millisecond; {
		_, err := fresh.Owner(t.Context(), 3)
		if !errors.As(err, &blocked) || !errors.Is(err, roomlog.ErrRefused) {
			t.Fatalf("the owner record of a partition that another process recovers: %v", err)
		}
		if blocked.OS.PID != cmd.Process.Pid || blocked.Partition != 3 {
			t.Fatalf("in the way is said to be %+v, not process %d", blocked, cmd.Process.Pid)
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 5 s it is said to have been there for %s", blocked.For)
		}
	}
}

// TestAHolderWhoCannotBeKnown, as one of another container: for how long it has
// held the lock is told all the same, so that somebody can say what is waited for.
func TestAHolderWhoCannotBeKnown(t *testing.T) {
	l := open(t, t.TempDir())
	own := hold(t, l, 3)
	f, err := os.OpenFile(l.file(3).path+"-shm", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	// A lock of the open file, not of a process: the kernel names nobody with it.
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: walWriteLock, Len: 1}); err != nil {
		t.Fatal(err)
	}
	var blocked *roomlog.BlockedError
	for deadline := time.Now().Add(5 * time.Second); blocked == nil || blocked.For < 500*time.Millisecond; {
		err := l.Append(t.Context(), 3, own.Epoch, []roomlog.Record{{Room: "r3", Seq: 1, Kind: roomlog.KindMessage}})
		if !errors.As(err, &blocked) || blocked.OS.PID != 0 || !strings.Contains(err.Error(), "not known") {
			t.Fatalf("behind a lock of nobody's: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 5 s it is said to have been there for %s", blocked.For)
		}
	}
}
