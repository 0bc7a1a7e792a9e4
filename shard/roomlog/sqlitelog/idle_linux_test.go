package sqlitelog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/shard/roomlog"
)

// openFiles counts the files of a log that this process has open.
func openFiles(t *testing.T, l *Log) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && strings.HasPrefix(name, l.dir+"/") {
			n++
		}
	}
	return n
}

// hold makes a room in a partition and returns who owns it.
func hold(t *testing.T, l *Log, partition int) roomlog.Owner {
	t.Helper()
	own, err := l.Acquire(t.Context(), partition, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "1"})
	if err == nil {
		err = l.Append(t.Context(), partition, own.Epoch, []roomlog.Record{{Room: fmt.Sprintf("r%d", partition), Kind: roomlog.KindCreated}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// TestWhoListsAllRoomsKeepsNoFileOpen: each member that asks a shard for its
// rooms has it look into every partition, held or not.
func TestWhoListsAllRoomsKeepsNoFileOpen(t *testing.T) {
	l := open(t, t.TempDir())
	for partition := range 20 {
		hold(t, l, partition)
		if partition > 0 {
			l.CloseIdle(partition)
		}
	}
	before := openFiles(t, l)
	if before == 0 {
		t.Error("no file of the held partition is open")
	}
	for partition := range 20 {
		rooms, err := l.Rooms(t.Context(), partition, "", 10)
		if err != nil || len(rooms) != 1 {
			t.Errorf("partition %d: %v, %v", partition, rooms, err)
		}
	}
	if after := openFiles(t, l); after > before {
		t.Errorf("%d files are open after the list, %d before", after, before)
	}
}

// TestTheListAfterACrashWaitsForNoCheckpoint: closing what was not closed in order
// checkpoints it, and people wait for the list.
func TestTheListAfterACrashWaitsForNoCheckpoint(t *testing.T) {
	crashed, dir := open(t, t.TempDir()), t.TempDir()
	hold(t, crashed, 3)
	if err := os.Mkdir(dir+"/partitions", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"003.db", "003.db-wal"} { // as a killed process leaves them
		b, err := os.ReadFile(filepath.Join(crashed.dir, "partitions", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "partitions", name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir)
		if rooms, err := l.Rooms(t.Context(), 3, "", 10); err != nil || len(rooms) != 1 {
			t.Errorf("%v, %v", rooms, err)
		}
		if !l.file(3).isOpen() {
			t.Error("the list has closed the file")
		}
		time.Sleep(3 * idleFor)
		synctest.Wait()
		if l.file(3).isOpen() || !l.file(3).isClean() {
			t.Errorf("some time later it is open: %t; clean: %t", l.file(3).isOpen(), l.file(3).isClean())
		}
	})
}

// TestIdleFilesAreClosed: what is looked into once does not stay open, and what
// is looked into all the time, as an owner does, is not opened each time.
func TestIdleFilesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, t.TempDir())
		for partition := range 2 {
			hold(t, l, partition)
		}
		asked := l.file(0)
		first := asked.db
		for range 30 {
			time.Sleep(time.Second)
			if _, err := l.Owner(t.Context(), 0); err != nil {
				t.Error(err)
			}
			if asked.db != first {
				t.Fatal("a file in use was closed")
			}
		}
		synctest.Wait()
		if l.file(1).isOpen() {
			t.Error("a file that nobody used for 30 s is open")
		}
		time.Sleep(3 * idleFor)
		synctest.Wait()
		if n := openFiles(t, l); n != 0 {
			t.Errorf("%d files are open that nobody uses", n)
		}
		if err := l.Append(t.Context(), 1, 1, []roomlog.Record{{Room: "r1", Seq: 1, Kind: roomlog.KindMessage}}); err != nil {
			t.Errorf("once more: %v", err)
		}
	})
}

// TestWhoOnlyLooksOpensNoWriter: a writer is three more descriptors, and SQLite's memory.
func TestWhoOnlyLooksOpensNoWriter(t *testing.T) {
	l := open(t, t.TempDir())
	hold(t, l, 3)
	l.CloseIdle(3)
	if at, _, err := l.Head(t.Context(), 3, "r3"); err != nil || at.Seq != 0 {
		t.Errorf("%+v, %v", at, err)
	}
	if l.file(3).append != nil {
		t.Error("reading opened a writer")
	}
}
