package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// TestDrainedShardIsGoneOnceItIsSaid: the next command of a script may stop the
// machine, or look whether it may.
func TestDrainedShardIsGoneOnceItIsSaid(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	addr := startShard(t, dir, "s2").addr("client")
	router := startRouter(t, dir).addr("client")
	out, errs, code := px("drain", "--router", router, "--data", dir, "s2")
	if code != 0 || !strings.HasSuffix(out, "s2 holds nothing and has left\n") {
		t.Fatalf("drain: %d, %s%s", code, out, errs)
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close() //nolint:errcheck // nothing was written
		t.Error("its port still takes connections")
	}
	if out, errs, code := px("status", "--router", router); code != 0 || strings.Contains(out, "s2") {
		t.Errorf("status: %d, %s%s", code, out, errs)
	}
}

// TestDrainWithTheSecretOfAnother cluster names where that secret is.
func TestDrainWithTheSecretOfAnother(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	if _, _, err := membership.LoadSecret(other, "", ""); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(other, "secret")
	secret, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args, env []string
		want      string
	}{
		"a directory": {[]string{"--data", other}, nil, file},
		"a file":      {[]string{"--secret-file", file, "--data", dir}, nil, file},
		"a variable":  {[]string{"--data", dir}, []string{"PX_SECRET=" + strings.TrimSpace(string(secret))}, "PX_SECRET"},
	} {
		cmd := exec.Command(binary, append([]string{"drain", "--router", router, "s1"}, c.args...)...)
		cmd.Env = append(os.Environ(), c.env...)
		out, err := cmd.CombinedOutput()
		want := "px: " + c.want + " has another cluster's secret than s1: name the right --data or --secret-file\n"
		if err == nil || !strings.HasSuffix(string(out), want) {
			t.Errorf("%s: %v, %swant %s", name, err, out, want)
		}
	}
}

// TestDrainSaysThatAShardIsSilent before the silence ends it, and goes on once
// the shard does.
func TestDrainSaysThatAShardIsSilent(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	frozen := startShard(t, dir, "s2")
	router := startRouter(t, dir).addr("client")
	frozen.signal(syscall.SIGSTOP)
	awaitState(t, frozen, 'T')
	drain, _, err := spawn(t, exec.Command(binary, "drain", "--router", router, "--data", dir, "s2"))
	if err != nil {
		t.Fatal(err)
	}
	awaitLog(t, drain, "px: s2 has said nothing for 3s; waiting up to 1m15s")
	frozen.signal(syscall.SIGCONT)
	<-drain.ended
	if code := drain.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended with %d: %s", code, drain.log())
	}
}

// TestDrainInterruptedSaysWhatTheShardDoes: it goes on, since nobody waits for it.
func TestDrainInterruptedSaysWhatTheShardDoes(t *testing.T) {
	data := t.TempDir()
	if _, _, err := membership.LoadSecret(data, "", ""); err != nil {
		t.Fatal(err)
	}
	for want, answers := range map[string]bool{"px: s1 goes on draining; px status shows it\n": true, "px: s1 may drain all the same; px status shows it\n": false} {
		addr, asked := slowDrain(t, answers)
		drain, line, err := spawn(t, exec.Command(binary, "drain", "--router", addr, "--data", data, "s1"))
		if err != nil {
			t.Fatal(err)
		}
		<-asked
		if answers {
			<-line
		}
		drain.signal(syscall.SIGINT)
		<-drain.ended
		if got, code := drain.log(), drain.cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.HasSuffix(got, want) {
			t.Errorf("ended with %d, %swant %s", code, got, want)
		}
	}
}

// slowDrain is a router and a shard in one that drains for ever. asked gets one
// when it was told to.
func slowDrain(t *testing.T, answers bool) (addr string, asked <-chan struct{}) {
	told := make(chan struct{}, 1)
	addr = fakeServer(t, func(conn *comms.Conn, addr string, command comms.Command) {
		switch command.(type) {
		case comms.Status:
			conn.WriteEvent(comms.StatusReport{Cluster: "px", Members: []comms.MemberStatus{{Name: "s1", Role: "shard", State: "active", Client: addr}}}) //nolint:errcheck // the next read ends too
		case comms.Drain:
			if answers {
				conn.WriteEvent(comms.DrainProgress{Name: "s1", Held: 3, Sessions: 2}) //nolint:errcheck // likewise
			}
			told <- struct{}{}
		}
	})
	return addr, told
}
