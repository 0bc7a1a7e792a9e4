package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// apart starts px as on a machine of its own: a data directory that nobody
// shares, a place in the cluster by --join, the room log by its address.
type apart struct {
	t      testing.TB
	log    string
	secret string
	join   []string
}

func newApart(t testing.TB, log string) *apart {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("5a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	return &apart{t: t, log: log, secret: secret}
}

func (a *apart) start(command string, more ...string) *process {
	a.t.Helper()
	args := []string{command, "--data", a.t.TempDir(), "--secret-file", a.secret, "--gossip", "127.0.0.1:0", "--log", a.log}
	for _, addr := range a.join {
		args = append(args, "--join", addr)
	}
	p := start(a.t, append(args, more...)...)
	a.join = append(a.join, p.addr("gossip"))
	return p
}

func (a *apart) router() string {
	a.t.Helper()
	return a.start("router", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0").addr("client")
}

// TestShardsThatShareNoDirectory runs a cluster on JetStream: a shard is
// killed, one joins, one is drained, and the room is whole.
func TestShardsThatShareNoDirectory(t *testing.T) {
	server := natstest.Start(t, natstest.Config{})
	a := newApart(t, server.URL())
	first := a.start("shard", "--name", "s1")
	a.start("shard", "--name", "s2")
	router := a.router()
	sent := 0
	send := func(n int) {
		t.Helper()
		for range n {
			sent++
			if _, errs, code := px("send", "--router", router, "--room", "go", "--timeout", "20s", fmt.Sprint("message ", sent)); code != 0 {
				t.Fatalf("message %d: %s", sent, errs)
			}
		}
	}
	send(3)
	owner := func() string {
		out, errs, code := px("where", "go", "--router", router, "--json")
		if code != 0 {
			t.Fatal(errs)
		}
		_, name, _ := strings.Cut(out, `"shard":"`)
		name, _, _ = strings.Cut(name, `"`)
		return name
	}
	if owner() == "s1" {
		first.kill()
	} else {
		// The room is s2's: it goes to s1 in order.
		if _, errs, code := px("drain", "s2", "--router", router, "--secret-file", a.secret); code != 0 {
			t.Fatal(errs)
		}
	}
	start := time.Now()
	send(1)
	t.Logf("the room went on after %s", time.Since(start))
	a.start("shard", "--name", "s3")
	send(2)
	if _, errs, code := px("drain", owner(), "--router", router, "--secret-file", a.secret); code != 0 {
		t.Fatal(errs)
	}
	send(2)
	out, errs, code := px("tail", "--router", router, "--room", "go", "--since", "0", "--json", "--count", fmt.Sprint(sent))
	if code != 0 {
		t.Fatal(errs)
	}
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if !strings.Contains(line, fmt.Sprintf(`"seq":%d,`, i+1)) || !strings.Contains(line, fmt.Sprintf(`"message %d"`, i+1)) {
			t.Errorf("line %d: %s", i+1, line)
		}
	}
}

// TestShardEndsThoughItsLogIsGone: what cannot be released must not keep a
// shard that is told to stop.
func TestShardEndsThoughItsLogIsGone(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	server := natstest.Start(t, natstest.Config{})
	a := newApart(t, server.URL())
	shard := a.start("shard", "--name", "s1")
	a.start("shard", "--name", "s2")
	router := a.router()
	for _, room := range roomNames(8) {
		if _, errs, code := px("send", "--router", router, "--room", room, "x"); code != 0 {
			t.Fatal(errs)
		}
	}
	server.Kill()
	start := time.Now()
	shard.signal(syscall.SIGTERM)
	select {
	case <-shard.ended:
		t.Logf("it ended after %s", time.Since(start))
	case <-time.After(20 * time.Second):
		t.Errorf("it runs 20 s after it was told to stop:\n%s", shard.log())
	}
	// The other one goes on when the log is back.
	server.Start(t)
	if _, errs, code := px("send", "--router", router, "--room", "go", "--timeout", "30s", "y"); code != 0 {
		t.Error(errs)
	}
}

func TestLogsThatAreRefused(t *testing.T) {
	server := natstest.Start(t, natstest.Config{User: "ada", Password: "x"})
	for name, c := range map[string]struct{ log, want string }{
		"no server":  {"nats://127.0.0.1:1", "127.0.0.1:1"},
		"no right":   {server.URL(), "uthorization"},
		"no account": {"nats://ada:wrong@" + strings.TrimPrefix(server.URL(), "nats://"), "uthorization"},
	} {
		_, errs, code := px("shard", "--name", "s1", "--data", t.TempDir(), "--gossip", "127.0.0.1:0", "--log", c.log)
		if code != exitFailed || !strings.Contains(errs, c.want) || strings.Contains(errs, "wrong@") || strings.Contains(errs, "panic") {
			t.Errorf("%s: ended with %d, %q; want a word of %q", name, code, errs, c.want)
		}
	}
}

// TestServerThatLostTheEndOfARoom has the NATS server's machine lose its power
// while px lives elsewhere: the room goes on behind what is left, and whoever had
// seen more is told.
func TestServerThatLostTheEndOfARoom(t *testing.T) {
	server := natstest.Start(t, natstest.Config{})
	a := newApart(t, server.URL())
	shard := a.start("shard", "--name", "s1")
	router := a.router()
	send := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if _, errs, code := px("send", "--router", router, "--room", "go", "--timeout", "20s", text); code != 0 {
				t.Fatalf("%s: %s", text, errs)
			}
		}
	}
	send("m1", "m2", "m3")
	reader := connectTo(t, "bob", router)
	if err := reader.Join(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(server.Config.Dir)); err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	send("m4", "m5")
	server.Kill()
	server.Config.Dir = before
	server.Start(t)
	send("m6", "m7")
	out, errs, code := px("tail", "--router", router, "--room", "go", "--since", "0", "--json", "--count", "5")
	if code != 0 {
		t.Fatal(errs)
	}
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if text := []string{"m1", "m2", "m3", "m6", "m7"}[i]; !strings.Contains(line, fmt.Sprintf(`"seq":%d,`, i+1)) || !strings.Contains(line, text) {
			t.Errorf("line %d: %s", i+1, line)
		}
	}
	awaitLog(t, shard, "lost its end")
	for timeout := time.After(20 * time.Second); ; {
		select {
		case e := <-reader.Events():
			if cut, is := e.(client.Cut); is {
				if cut.At != 3 {
					t.Errorf("the reader is told that it ends behind #%d", cut.At)
				}
				return
			}
		case <-timeout:
			t.Fatal("the reader was told nothing")
		}
	}
}
