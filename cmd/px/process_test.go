package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// binary is px, built once without the race detector.
var binary string

// withFailpoints builds px once more, with its failpoints.
var withFailpoints = sync.OnceValues(func() (string, error) {
	path := binary + "-failpoints"
	out, err := exec.Command("go", "build", "-tags", "failpoint", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	natstest.Main()
	// What is set for the cluster of whoever tests is not meant for those of the tests.
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PX_") && !strings.HasPrefix(name, "PX_FAULT_") {
			os.Unsetenv(name) //nolint:errcheck // it was set, so it has a name
		}
	}
	dir, err := os.MkdirTemp("", "px-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "px")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	err = build.Run()
	code := 1
	if err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	os.Exit(code)
}

// process is one px process that the test owns.
type process struct {
	cmd   *exec.Cmd
	ready string
	err   *bytes.Buffer
	ended chan struct{}
	mu    *sync.Mutex
}

// start runs px and waits for its ready line.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	p, err := launch(t, exec.Command(binary, args...))
	if err != nil {
		t.Fatalf("px %s: %v\n%s", strings.Join(args, " "), err, p.log())
	}
	return p
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err.String()
}

func launch(t testing.TB, cmd *exec.Cmd) (*process, error) {
	t.Helper()
	p, line, err := spawn(t, cmd)
	if err != nil {
		return p, err
	}
	select {
	case p.ready = <-line:
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("ended with %v before it was ready", p.cmd.ProcessState)
	case <-time.After(20 * time.Second):
		return p, fmt.Errorf("not ready after 20 s")
	}
}

// spawn runs a process without waiting for its ready line, which comes on line.
func spawn(t testing.TB, cmd *exec.Cmd) (p *process, line chan string, err error) {
	p = &process{cmd: cmd, err: &bytes.Buffer{}, ended: make(chan struct{}), mu: &sync.Mutex{}}
	p.cmd.Stderr = lockedWriter{p.mu, p.err}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return p, nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return p, nil, err
	}
	t.Cleanup(func() {
		p.kill()
		if dir := os.Getenv("PX_FAULT_LOGS"); dir != "" && t.Failed() {
			os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%s.log", p.cmd.Process.Pid, cmd.Args[1])), []byte(strings.Join(cmd.Args, " ")+"\n"+p.log()), 0o600) //nolint:errcheck // a help to look for the cause
		}
	})
	line = make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case line <- lines.Text():
			default:
			}
		}
		p.cmd.Wait() //nolint:errcheck // the exit code is in cmd.ProcessState
	}()
	return p, line, nil
}

func (p *process) signal(s syscall.Signal) { p.cmd.Process.Signal(s) } //nolint:errcheck // it may have ended

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// addr takes an address out of the ready line.
func (p *process) addr(key string) string {
	m := regexp.MustCompile(key + `=(\S+)`).FindStringSubmatch(p.ready)
	if m == nil {
		return ""
	}
	return m[1]
}

func startShard(t testing.TB, dir, name string, more ...string) *process {
	return start(t, append([]string{"shard", "--name", name, "--data", dir, "--gossip", "127.0.0.1:0"}, more...)...)
}

// startFailing is startShard of a shard with failpoints.
func startFailing(t testing.TB, dir, name, failpoints string) *process {
	t.Helper()
	p, err := launch(t, failing(t, dir, name, failpoints))
	if err != nil {
		t.Fatalf("shard %s: %v\n%s", name, err, p.log())
	}
	return p
}

// startDoomed is startFailing of one whose failpoint may come before it is ready.
func startDoomed(t testing.TB, dir, name, failpoints string) *process {
	t.Helper()
	p, _, err := spawn(t, failing(t, dir, name, failpoints))
	if err != nil {
		t.Fatalf("shard %s: %v", name, err)
	}
	return p
}

func failing(t testing.TB, dir, name, failpoints string) *exec.Cmd {
	t.Helper()
	path, err := withFailpoints()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "shard", "--name", name, "--data", dir, "--gossip", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "PX_FAILPOINTS="+failpoints)
	return cmd
}

func startRouter(t testing.TB, dir string) *process {
	return start(t, "router", "--data", dir, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0")
}

func connectTo(t testing.TB, user string, routers ...string) *client.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := client.Connect(ctx, client.Options{Routers: routers, User: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // never fails
	return s
}

// px runs a command to its end.
func px(args ...string) (stdout, stderr string, code int) {
	cmd := exec.Command(binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	code = cmd.ProcessState.ExitCode()
	if err != nil && code < 0 {
		return out.String(), err.Error(), code
	}
	return out.String(), errs.String(), code
}

// stateOf is the process's state in /proc: 'T' stopped, 'Z' ended and not yet
// waited for; 'Z' too when it is no more.
func stateOf(p *process) byte {
	state, _, err := roomlog.ProcessStat(p.cmd.Process.Pid)
	if err != nil {
		return 'Z'
	}
	return state
}

// awaitState waits until the process is in a state of /proc.
func awaitState(t testing.TB, p *process, want byte) {
	t.Helper()
	await(t, fmt.Sprintf("state %c of process %d", want, p.cmd.Process.Pid), func() bool { return stateOf(p) == want })
}

// awaitLog waits until the process has logged what is wanted.
func awaitLog(t testing.TB, p *process, want string) {
	t.Helper()
	await(t, "a log line with "+want, func() bool { return strings.Contains(p.log(), want) })
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); pass(t.Context(), time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there was no %s within 20 s", what)
		}
	}
}
