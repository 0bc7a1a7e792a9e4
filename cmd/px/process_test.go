package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
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

// TestAncestorSession speaks the ancestor's protocol byte for byte, beside an
// aware client in the same room.
func TestAncestorSession(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	nc, err := net.Dial("tcp", router)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(nc)
	read := func() string {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	login := regexp.MustCompile(`^\{"_et":"login_successful","s":"[A-Za-z0-9_-]{21}","u":"([a-z0-9]{5})","rs":\[\{"n":"general","d":"[^"]*"\}(,\{"n":"[a-z0-9-]+","d":"[^"]*"\}){23}\]\}` + "\r\n$")
	m := login.FindStringSubmatch(read())
	if m == nil {
		t.Fatal("the greeting is not the ancestor's")
	}
	me := m[1]
	say := func(line string) {
		if _, err := io.WriteString(nc, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if got := read(); got != want+"\r\n" {
			t.Fatalf("got  %q\nwant %q", got, want+"\r\n")
		}
	}
	say(`{"_ct":"join_room","r":"general"}`)
	expect(`{"_et":"room_participation","r":"general","u":"` + me + `","s":"joined"}`)
	expect(`{"_et":"user_joined_room","r":"general","us":["` + me + `"]}`)
	ada := connectTo(t, "ada", router)
	if err := ada.Join(t.Context(), "general", nil); err != nil {
		t.Fatal(err)
	}
	expect(`{"_et":"room_participation","r":"general","u":"ada","s":"joined"}`)
	if _, err := ada.Send(t.Context(), "general", "hello <you>"); err != nil {
		t.Fatal(err)
	}
	expect(`{"_et":"user_message","r":"general","u":"ada","c":"hello <you>"}`)
	say(`{"_ct":"send_message","r":"general","c":"hello"}`)
	expect(`{"_et":"user_message","r":"general","u":"` + me + `","c":"hello"}`)
	// Its room moves; nothing of that is seen.
	startShard(t, dir, "s2")
	startShard(t, dir, "s3")
	if out, errs, code := px("drain", "--router", router, "--data", dir, "s1"); code != 0 {
		t.Fatalf("drain: %s%s", out, errs)
	}
	if _, err := ada.Send(t.Context(), "general", "moved"); err != nil {
		t.Fatal(err)
	}
	expect(`{"_et":"user_message","r":"general","u":"ada","c":"moved"}`)
	say(`{"_ct":"join_room","r":"general"}`)
	if got := read(); !strings.Contains(got, `"code":"already_joined"`) {
		t.Errorf("a second join: %s", got)
	}
	say(`{"_ct":"leave_room","r":"general"}`)
	say(`{"_ct":"quit"}`)
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("then %q, %v", rest, err)
	}
}

func TestEverythingKilledAndStartedAgain(t *testing.T) {
	dir := t.TempDir()
	shards := []*process{startShard(t, dir, "s1"), startShard(t, dir, "s2")}
	router := startRouter(t, dir)
	lines := strings.Repeat("before\n", 50)
	send := exec.Command(binary, "send", "--router", router.addr("client"), "--room", "go")
	send.Stdin = strings.NewReader(lines)
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := append(shards, router)
	for _, p := range all {
		p.signal(syscall.SIGKILL)
	}
	for _, p := range all {
		<-p.ended
	}
	start := time.Now()
	startShard(t, dir, "s1")
	second := startShard(t, dir, "s2")
	router = startRouter(t, dir)
	out, errs, code := px("send", "--router", router.addr("client"), "--room", "go", "--json", "after")
	took := time.Since(start)
	t.Logf("a message is stored %s after everything was killed and started again", took)
	if code != 0 || !strings.Contains(out, `"seq":51`) {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	if took > 2*time.Second && !testing.Short() {
		t.Error("that is more than 2 s")
	}
	out, errs, code = px("tail", "--router", router.addr("client"), "--room", "go", "--since", "0", "--count", "51")
	if code != 0 || strings.Count(out, "before") != 50 || strings.Count(out, "after") != 1 {
		t.Errorf("history %q, %s", out, errs)
	}
	// A second process of a living shard's name is refused, and names who has it.
	_, errs, code = px("shard", "--name", "s2", "--data", dir, "--gossip", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, `"s2"`) || !strings.Contains(errs, fmt.Sprint(second.cmd.Process.Pid)) {
		t.Errorf("a twin ended with %d: %s", code, errs)
	}
	// The same name at once after a kill -9, several times over.
	for range 3 {
		second.kill()
		start = time.Now()
		second = startShard(t, dir, "s2")
		t.Logf("killed, and ready again under the same name after %s", time.Since(start))
		if _, errs, code := px("send", "--router", router.addr("client"), "--room", "go", "again"); code != 0 {
			t.Fatal(errs)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	rooms := filepath.Join(dir, "rooms.json")
	if err := os.WriteFile(rooms, []byte(`[{"name":"a"},{"name":"a"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown command": {[]string{"fly"}, exitUsage, `"fly"`},
		"unknown flag":    {[]string{"status", "--fly"}, exitUsage, "-fly"},
		"extra argument":  {[]string{"status", "x"}, exitUsage, `"x"`},
		"bad log level":   {[]string{"shard", "--name", "s1", "--log-level", "loud"}, exitUsage, "loud"},
		"bad shard name":  {[]string{"shard", "--name", "S 1", "--data", dir}, exitFailed, "S 1"},
		"port in use":     {[]string{"shard", "--name", "s1", "--data", dir, "--listen", taken.Addr().String()}, exitFailed, "in use"},
		"rooms file":      {[]string{"shard", "--name", "s1", "--data", dir, "--rooms", rooms}, exitFailed, "twice"},
		"no rooms file":   {[]string{"shard", "--name", "s1", "--data", dir, "--rooms", rooms + "x"}, exitFailed, "rooms.jsonx"},
		"data is a file":  {[]string{"shard", "--name", "s1", "--data", rooms}, exitFailed, "data directory"},
		"bad sync":        {[]string{"shard", "--name", "s1", "--data", dir, "--sync", "maybe"}, exitFailed, "maybe"},
		"not an address":  {[]string{"shard", "--name", "s1", "--data", dir, "--listen", "0.0.0.0:0"}, exitFailed, "--advertise"},
		"other's gossip":  {[]string{"shard", "--name", "s1", "--data", dir, "--gossip", "nowhere"}, exitFailed, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := px(c.args...)
			if code != c.code || !strings.Contains(errs, c.want) || strings.Contains(errs, "panic") {
				t.Errorf("ended with %d, %q; want %d and a word of %q", code, errs, c.code, c.want)
			}
		})
	}
}

// TestHelpIsARoomAndAWord: the command-line library takes it for a command.
func TestHelpIsARoomAndAWord(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	if out, errs, code := px("send", "--router", router, "--room", "help", "--json", "help", "me"); code != 0 || !strings.Contains(out, `"seq":1`) {
		t.Errorf("send: %d, %s%s", code, out, errs)
	}
	if out, errs, code := px("where", "help", "--router", router, "--json"); code != 0 || !strings.Contains(out, `"room":"help"`) {
		t.Errorf("where: %d, %s%s", code, out, errs)
	}
	if out, _, code := px("tail", "--router", router, "--room", "help", "--since", "0", "--count", "1"); code != 0 || !strings.Contains(out, "help me") {
		t.Errorf("tail: %d, %s", code, out)
	}
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
