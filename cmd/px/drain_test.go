package main

import (
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
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
