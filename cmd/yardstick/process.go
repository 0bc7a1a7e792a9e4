package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// process is a server that the yardstick started.
type process struct {
	cmd   *exec.Cmd
	ready string
	done  chan struct{}
}

// startServer is start with more of an environment, where servers are to run.
func startServer(ctx context.Context, env []string, logTo *os.File, path string, args ...string) (p *process, err error) {
	placed := onServers(func() { p, err = startIn(ctx, append(os.Environ(), env...), logTo, path, args...) })
	if p != nil && placed != nil {
		p.stop()
	}
	return p, errors.Join(placed, err)
}

// start runs a program and waits for the line in which it says that it is ready.
func start(ctx context.Context, logTo *os.File, path string, args ...string) (*process, error) {
	return startIn(ctx, nil, logTo, path, args...)
}

// startIn is start in an environment; nil: this program's.
func startIn(ctx context.Context, env []string, logTo *os.File, path string, args ...string) (*process, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = env
	cmd.Stderr = logTo
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	line := make(chan string, 1)
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case line <- lines.Text():
			default:
			}
		}
		cmd.Wait() //nolint:errcheck // it was told to end
	}()
	select {
	case p.ready = <-line:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s %v ended before it was ready: %s", path, args, cmd.ProcessState)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(30 * time.Second):
		err = errors.New("not ready within 30 s")
	}
	p.stop()
	return nil, fmt.Errorf("%s %v: %w", path, args, err)
}

// addr takes an address out of the ready line.
func (p *process) addr(key string) string {
	m := regexp.MustCompile(key + `=(\S+)`).FindStringSubmatch(p.ready)
	if m == nil {
		return ""
	}
	return m[1]
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process, by force where it does not end by itself.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill() //nolint:errcheck // likewise
		<-p.done
	}
}
