package stress

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usageOf reads one process. Its CPU is utime + stime as /proc/PID/stat has
// them, but from the process's clock: in nanoseconds in place of ticks.
func usageOf(pid int) (u Usage, err error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); errors.Is(err, unix.EINVAL) {
		return u, fmt.Errorf("no process has the number %d", pid)
	} else if err != nil {
		return u, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	u.CPU = time.Duration(ts.Nano())
	kib, err := procField(pid, "status", "VmRSS:")
	if err != nil {
		return u, err
	}
	u.Memory = kib << 10
	return u, nil
}

func procField(pid int, file, key string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == key {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, key)
}

// busy is what all processes of the machine have used, and what its host took.
func busy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	// cpu user nice system idle iowait irq softirq steal, in ticks of 10 ms
	first, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 {
		return 0, errors.New("/proc/stat has too few fields")
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// Listener finds the process of this machine that listens at addr.
func Listener(addr string) (pid int, err error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	inode, err := listenInode(at)
	if err != nil {
		return 0, err
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, err
	}
	want := "socket:[" + inode + "]"
	for _, path := range links {
		if target, err := os.Readlink(path); err == nil && target == want {
			return strconv.Atoi(strings.Split(path, "/")[2])
		}
	}
	return 0, fmt.Errorf("the process that listens at %s is not ours to look at", addr)
}

// listenInode looks a listening IPv4 socket up in the kernel's table.
func listenInode(at netip.AddrPort) (string, error) {
	if !at.Addr().Is4() {
		return "", errors.New("only IPv4 addresses are looked up")
	}
	ip := at.Addr().As4()
	var swapped [4]byte // the table has addresses in the machine's byte order
	binary.NativeEndian.PutUint32(swapped[:], binary.BigEndian.Uint32(ip[:]))
	port := fmt.Sprintf("%04X", at.Port())
	want := []string{strings.ToUpper(hex.EncodeToString(swapped[:])) + ":" + port, "00000000:" + port}
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[3] == "0A" && (fields[1] == want[0] || fields[1] == want[1]) {
			return fields[9], nil
		}
	}
	return "", fmt.Errorf("nothing on this machine listens at %s", at)
}

// raiseDescriptors makes room for that many open descriptors.
func raiseDescriptors(need uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of descriptors: %w", err)
	}
	if limit.Cur >= need {
		return nil
	}
	hard := limit.Max
	limit.Cur, limit.Max = need, max(need, hard)
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		return nil
	}
	return fmt.Errorf("%d descriptors are needed and %d are allowed: run \"ulimit -n %d\" as root first, or use fewer --sessions", need, hard, need)
}
