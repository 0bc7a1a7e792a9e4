package twin

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
)

// auxRandom marks, among what the kernel gives a new process, the address of 16
// random bytes. All of the Go runtime's randomness grows from them: the order
// of maps and of selects, math/rand, the scheduler's choices.
const auxRandom = 25

// runSeeded runs a process whose Go runtime has nothing left to chance, as far
// as the kernel allows that; seeded tells. The process is traced from its first
// instruction on: the kernel's random bytes are overwritten, and the first
// thread that it makes, the one by which the runtime watches the clock on the
// wall and takes the processor from goroutines that had it for long, never runs.
func runSeeded(cmd *exec.Cmd, seed uint64) (seeded bool, err error) {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil { // nobody may trace here
		again := exec.Command(cmd.Path, cmd.Args[1:]...)
		again.Env, again.Stdout, again.Stderr = cmd.Env, cmd.Stdout, cmd.Stderr
		err := again.Run()
		cmd.ProcessState = again.ProcessState
		return false, err
	}
	watcher, err := settle(cmd.Process.Pid, seed)
	syscall.PtraceDetach(cmd.Process.Pid) //nolint:errcheck // lets it run, whatever became of the seed
	if watcher != 0 {
		// Its end is the process's, which nobody else can wait for before.
		for {
			var status syscall.WaitStatus
			if _, err := syscall.Wait4(watcher, &status, syscall.WALL, nil); err != syscall.EINTR && !status.Stopped() {
				break
			}
		}
	}
	if waited := cmd.Wait(); waited != nil {
		return err == nil, waited
	}
	return err == nil, nil
}

// settle prepares a stopped process and returns the thread that stays stopped.
func settle(pid int, seed uint64) (watcher int, err error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return 0, err
	}
	if err := pokeRandom(pid, seed); err != nil {
		return 0, err
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACECLONE); err != nil {
		return 0, err
	}
	for signal := 0; ; {
		if err := syscall.PtraceCont(pid, signal); err != nil {
			return 0, err
		}
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return 0, err
		}
		switch {
		case !status.Stopped():
			return 0, fmt.Errorf("process %d ended early", pid)
		case status.TrapCause() != syscall.PTRACE_EVENT_CLONE:
			signal = int(status.StopSignal())
			continue
		}
		thread, err := syscall.PtraceGetEventMsg(pid)
		if err != nil {
			return 0, err
		}
		if _, err := syscall.Wait4(int(thread), &status, syscall.WALL, nil); err != nil {
			return 0, err
		}
		return int(thread), syscall.PtraceSetOptions(pid, 0)
	}
}

// pokeRandom overwrites the random bytes of a stopped process.
func pokeRandom(pid int, seed uint64) error {
	aux, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil {
		return err
	}
	for ; len(aux) >= 16; aux = aux[16:] {
		if binary.NativeEndian.Uint64(aux) != auxRandom {
			continue
		}
		random := binary.BigEndian.AppendUint64([]byte("twinseed"), seed^0x9e3779b97f4a7c15)
		_, err := syscall.PtracePokeData(pid, uintptr(binary.NativeEndian.Uint64(aux[8:])), random)
		return err
	}
	return fmt.Errorf("process %d has no random bytes", pid)
}

// freshThread lets the process go on on its 16th thread: the runtime's random
// numbers are a thread's, and which of the first few the start ended on is
// chance. The others are kept by goroutines that do nothing. The newest thread is
// the one that was not there before: its number need not be the highest, since
// the kernel's begin again now and then.
func freshThread() error {
	known, last := make([]int, 0, 64), 0
	for {
		list, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		before := len(known)
		for _, thread := range list {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			if !slices.Contains(known[:before], id) {
				known, last = append(known, id), id
			}
		}
		if len(list) >= 16 && syscall.Gettid() == last {
			return nil
		}
		kept := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(kept)
			select {}
		}()
		<-kept
	}
}
