package sqlitelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"positivity-exchange/shard/roomlog"
)

// walWriteLock is the byte of the -shm file that a WAL writer locks (SQLite,
// "WAL-mode file format": locks begin at offset 120, the write lock first).
const walWriteLock = 120

// checkFileSystem refuses network file systems: their locks cannot be relied on.
func checkFileSystem(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return fmt.Errorf("data directory %s lies on a network file system, whose locks cannot be relied on: name a local one with --data", dir)
	}
	return nil
}

// lockHolder finds the process with the write lock in /proc/locks; zero if unknown.
func lockHolder(shm string) roomlog.OSProcess {
	var st syscall.Stat_t
	if err := syscall.Stat(shm, &st); err != nil {
		return roomlog.OSProcess{}
	}
	b, err := os.ReadFile("/proc/locks")
	if err != nil {
		return roomlog.OSProcess{}
	}
	want := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "POSIX" || f[3] != "WRITE" || f[5] != want {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		from, err2 := strconv.ParseInt(f[6], 10, 64)
		to, err3 := strconv.ParseInt(f[7], 10, 64)
		if err != nil || err2 != nil || err3 != nil || from > walWriteLock || to < walWriteLock {
			continue
		}
		me := roomlog.ThisProcess()
		if _, start, err := roomlog.ProcessStat(pid); err == nil {
			return roomlog.OSProcess{Kernel: me.Kernel, PIDNS: me.PIDNS, PID: pid, Start: start}
		}
	}
	return roomlog.OSProcess{}
}

var _ roomlog.Forcer = (*Log)(nil)

// End ends the process that b names, if it still is that process and still
// holds the lock, and returns once the lock is free.
func (l *Log) End(ctx context.Context, b *roomlog.BlockedError) error {
	if b.OS.PID == 0 || b.OS.PID == os.Getpid() {
		return errors.New("the process in the way is not known")
	}
	shm := l.file(b.Partition).path + "-shm"
	fd, err := unix.PidfdOpen(b.OS.PID, 0)
	if err != nil {
		return fmt.Errorf("process %d: %w", b.OS.PID, err)
	}
	defer unix.Close(fd)
	// Checked behind the pidfd: the number cannot come to mean another process now.
	if lockHolder(shm) != b.OS {
		return errors.New("the process has let go of the lock")
	}
	l.logger.Warn("ending a process that is stopped inside its transaction", "pid", b.OS.PID, "partition", b.Partition, "held", b.For)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return fmt.Errorf("end process %d: %w", b.OS.PID, err)
	}
	for lockHolder(shm) == b.OS {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
