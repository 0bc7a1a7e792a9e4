package roomlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// ThisProcess identifies the operating system process that calls.
func ThisProcess() OSProcess {
	kernel, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return OSProcess{}
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return OSProcess{}
	}
	p := OSProcess{Kernel: strings.TrimSpace(string(kernel)), PIDNS: namespace, PID: os.Getpid()}
	if _, p.Start, err = ProcessStat(p.PID); err != nil {
		return OSProcess{}
	}
	return p
}

// ProcessStat reads a process's state letter and start time from /proc.
func ProcessStat(pid int) (state byte, start uint64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The command, in parentheses, may hold anything: count from its end.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, errors.New("short /proc stat line")
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return fields[0][0], start, err
}

// ProcessGone reports whether p does not exist any more (or only as an
// unreaped zombie of the process table). known is false where that cannot be
// told from here: another machine, another PID namespace.
func ProcessGone(p OSProcess) (known, gone bool) {
	if p.PID == 0 {
		return false, false // before anything is read: it is asked for each redirect
	}
	me := ThisProcess()
	if me.PID == 0 || p.Kernel != me.Kernel || p.PIDNS != me.PIDNS {
		return false, false
	}
	state, start, err := ProcessStat(p.PID)
	if errors.Is(err, fs.ErrNotExist) {
		return true, true
	}
	if err != nil {
		return false, false
	}
	return true, start != p.Start || state == 'Z' || state == 'X'
}
