//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"positivity-exchange/client"
)

// pty is a terminal whose other side the test reads: it sees the very bytes.
type pty struct {
	master *os.File
	mu     sync.Mutex
	out    []byte
	last   time.Time // of a byte
	cmd    *exec.Cmd
}

// onPty starts px client with 80x24.
func onPty(t testing.TB, env []string, args ...string) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminal: ", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close() //nolint:errcheck // the client has it
	p := &pty{master: master, cmd: exec.Command(binary, append([]string{"client"}, args...)...)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.cmd.Env = append(append(os.Environ(), env...), "TERM=xterm-256color", "TMUX=")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, err := master.Read(b)
			p.mu.Lock()
			p.out, p.last = append(p.out, b[:n]...), time.Now()
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		p.end()
		master.Close() //nolint:errcheck // it is over
		reading.Wait()
	})
	return p
}

func (p *pty) end() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		p.cmd.Wait()                          //nolint:errcheck // ended by a signal
	}
}

func (p *pty) bytes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out)
}

// until waits for a text that comes in one piece, looking every millisecond.
func (p *pty) until(t testing.TB, text string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		p.mu.Lock()
		there := bytes.Contains(p.out, []byte(text))
		p.mu.Unlock()
		if there {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q did not come: %q", text, p.out[max(0, len(p.out)-3000):])
		}
		<-time.After(time.Millisecond)
	}
}

// answers does something and returns how many bytes came for it, once the first
// has come and then none for a while.
func (p *pty) answers(t testing.TB, do func()) int {
	t.Helper()
	before := p.bytes()
	do()
	deadline := time.Now().Add(10 * time.Second)
	for p.bytes() == before {
		if time.Now().After(deadline) {
			t.Fatal("nothing came")
		}
		<-time.After(time.Millisecond)
	}
	p.quiet()
	return p.bytes() - before
}

// quiet waits until nothing was written for a while.
func (p *pty) quiet() {
	for {
		p.mu.Lock()
		idle := time.Since(p.last)
		p.mu.Unlock()
		if idle > 60*time.Millisecond {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
}

func homes(b testing.TB) []string {
	dir := b.TempDir()
	var env []string
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
		env = append(env, v+"="+filepath.Join(dir, v))
	}
	return env
}

// fillRoom stores n messages.
func fillRoom(b testing.TB, router, room string, n int) {
	writer := connectTo(b, "writer", router)
	if err := writer.Join(b.Context(), room, nil); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if _, err := writer.Post(room, fmt.Sprintf("message-%06d", i+1)); err != nil {
			b.Fatal(err)
		}
	}
	for stored := 0; stored < n; {
		if m, ok := (<-writer.Events()).(client.Message); ok && m.Mine {
			stored++
		}
	}
	writer.Close() //nolint:errcheck // never fails
}

// BenchmarkClientStarts is the time from starting the program until a room of
// 100,000 messages is on its terminal: first with nothing on disk (a first
// visit: router, shard and history page lie between; the files of the program
// are in the system's cache), then from its own cache, then from it with no
// server at all. Medians of twenty.
func BenchmarkClientStarts(b *testing.B) {
	const messages = 100_000
	dir := b.TempDir()
	shard, routing := startShard(b, dir, "s1"), startRouter(b, dir)
	router := routing.addr("client")
	fillRoom(b, router, "go", messages)
	run := func(env []string) time.Duration {
		start := time.Now()
		p := onPty(b, env, "--router", router, "--user", "ada", "--room", "go")
		p.until(b, fmt.Sprintf("message-%06d", messages))
		took := time.Since(start)
		p.quiet()
		p.end()
		return took
	}
	report := func(name string, env func() []string) {
		var took []time.Duration
		for range 20 {
			took = append(took, run(env()))
		}
		b.ReportMetric(float64(slices.Min(took).Microseconds())/1000, name+"-min-ms")
		b.ReportMetric(float64(percentile(took, 0.5).Microseconds())/1000, name+"-median-ms")
		b.ReportMetric(float64(percentile(took, 1).Microseconds())/1000, name+"-max-ms")
	}
	report("first-visit", func() []string { return homes(b) })
	env := homes(b)
	run(env)
	report("cached", func() []string { return env })
	shard.kill()
	routing.kill()
	report("no-server", func() []string { return env })
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBytesPerMessage is what the client writes to a terminal of 80x24 for
// one message that comes, in a full room: those of one author, of two in turn,
// and for a key that is pressed.
func BenchmarkBytesPerMessage(b *testing.B) {
	dir := b.TempDir()
	startShard(b, dir, "s1")
	router := startRouter(b, dir).addr("client")
	fillRoom(b, router, "go", 40)
	p := onPty(b, homes(b), "--router", router, "--user", "ada", "--room", "go")
	p.until(b, "message-000040")
	p.quiet()
	ctx := b.Context()
	say := func(name string, writers ...string) {
		var sessions []*client.Session
		for _, user := range writers {
			s := connectTo(b, user, router)
			drainEvents(s)
			if err := s.Join(ctx, "go", nil); err != nil {
				b.Fatal(err)
			}
			sessions = append(sessions, s)
		}
		p.quiet()
		const n = 40
		texts := []string{"yes", "has anyone tried the new table builder?", "13 of 271 partitions move on a join, and that is nearly the least there can be", "on it"}
		total := 0
		for i := range n + 20 {
			came := p.answers(b, func() {
				if _, err := sessions[i%len(sessions)].Send(ctx, "go", texts[i%len(texts)]); err != nil {
					b.Fatal(err)
				}
			})
			if i >= 20 { // the screen is full of such messages by now
				total += came
			}
		}
		b.ReportMetric(float64(total)/n, name+"-bytes")
	}
	say("one-author", "bob")
	say("two-authors", "eve", "mia")
	total := 0
	for range 20 {
		total += p.answers(b, func() {
			if _, err := p.master.WriteString("x"); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.ReportMetric(float64(total)/20, "key-bytes")
	idle := p.bytes()
	<-time.After(2 * time.Second)
	b.ReportMetric(float64(p.bytes()-idle), "idle-bytes")
	b.ReportMetric(0, "ns/op")
}
