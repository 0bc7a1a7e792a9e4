package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
