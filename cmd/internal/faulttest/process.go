package faulttest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"positivity-exchange/shard/roomlog"
)

// startWithin is how long a process may take until it is ready.
const startWithin = 30 * time.Second

// Process is one px process that the driver owns.
type Process struct {
	Name   string // stable name of the shard or router
	Kind   string // "shard", "router" or "up"
	Client string // address for clients
	HTTP   string // a router's, for health and status
	Log    string // file of its standard error

	cmd   *exec.Cmd
	args  []string
	arm   string // folder of its failpoints' files
	ended chan struct{}

	mu    sync.Mutex
	meant bool // the driver ended it, or allowed it to end
}

// launch starts cmd, whose standard error goes to the file log, and waits for
// its ready line.
func launch(p *Process, begin func(*exec.Cmd) error) error {
	f, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the process has its own
	p.cmd.Stderr = f
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	endWithParent(p.cmd)
	if begin == nil {
		begin = (*exec.Cmd).Start
	}
	if err := begin(p.cmd); err != nil {
		return err
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			// px up prints a line for each member; its router's comes last.
			if line := lines.Text(); p.Kind != "up" || strings.HasPrefix(line, "ready router") {
				select {
				case ready <- line:
				default:
				}
			}
		}
		p.cmd.Wait() //nolint:errcheck // the exit code is in cmd.ProcessState
	}()
	select {
	case line := <-ready:
		p.Client, p.HTTP = word(line, "client"), word(line, "http")
		return nil
	case <-p.ended:
		return fmt.Errorf("%s ended with %v before it was ready: %s", p.Name, p.cmd.ProcessState, p.lastLine())
	case <-time.After(startWithin):
		p.Kill()
		return fmt.Errorf("%s was not ready after %s: %s", p.Name, startWithin, p.lastLine())
	}
}

func word(line, key string) string {
	if m := regexp.MustCompile(key + `=(\S+)`).FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal; it may have ended.
func (p *Process) Signal(s syscall.Signal) { p.cmd.Process.Signal(s) } //nolint:errcheck // see above

// MayEnd tells that from now on its end is no surprise.
func (p *Process) MayEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meant = true
}

// MustLive takes MayEnd back, unless it has ended.
func (p *Process) MustLive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Alive() {
		p.meant = false
	}
}

// Kill ends it without notice and waits.
func (p *Process) Kill() {
	p.MayEnd()
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Ended is closed when the process is no more.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Alive tells whether it has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Terminate asks it to end in order (SIGTERM) and waits for that, which must
// succeed within the time given.
func (p *Process) Terminate(within time.Duration) error {
	p.MayEnd()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("%s was told to end and ended with %d: %s", p.Name, code, p.lastLine())
		}
		return nil
	case <-time.After(within):
		return fmt.Errorf("%s was told to end and has not after %s: %s", p.Name, within, p.lastLine())
	}
}

// Freeze stops it (SIGSTOP) and returns once it stands still; Thaw lets it go on.
func (p *Process) Freeze(ctx context.Context) error {
	p.Signal(syscall.SIGSTOP)
	return p.awaitState(ctx, 'T', 5*time.Second)
}

// Thaw lets a frozen process go on.
func (p *Process) Thaw() { p.Signal(syscall.SIGCONT) }

// State is its state in /proc: 'T' stopped, 'Z' ended.
func (p *Process) State() byte {
	state, _, err := roomlog.ProcessStat(p.PID())
	if err != nil {
		return 'Z'
	}
	return state
}

func (p *Process) awaitState(ctx context.Context, want byte, within time.Duration) error {
	return until(ctx, within, fmt.Sprintf("%s in state %c", p.Name, want), func() bool { return p.State() == want })
}

// FreezeAt stops the process at its next passage of a failpoint and returns
// once it stands there. A place fires once in a process's life.
func (p *Process) FreezeAt(ctx context.Context, place string, within time.Duration) error {
	file := filepath.Join(p.arm, place)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(file) //nolint:errcheck // it may have fired; a new process has a folder of its own
	return p.awaitState(ctx, 'T', within)
}

// Logged reads what it wrote to its standard error.
func (p *Process) Logged() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *Process) lastLine() string {
	lines := strings.Split(strings.TrimSpace(p.Logged()), "\n")
	return lines[len(lines)-1]
}

// until waits for a condition.
func until(ctx context.Context, within time.Duration, what string, done func() bool) error {
	for deadline := time.Now().Add(within); !done(); pass(ctx, 2*time.Millisecond) {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case time.Now().After(deadline):
			return fmt.Errorf("there was no %s within %s", what, within)
		}
	}
	return nil
}

// pass lets d pass, or less if ctx ends.
func pass(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
