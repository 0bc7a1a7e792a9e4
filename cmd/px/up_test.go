package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestSecondUpSaysWhereTheFirstIs, which has the names and the rooms: not that a
// port is taken, nor that another --name is to be chosen, which px up has not.
func TestSecondUpSaysWhereTheFirstIs(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("whether a process lives is not known here; the second waits for its names")
	}
	dir := t.TempDir()
	args := []string{"up", "--no-client", "--data", dir, "--http", "127.0.0.1:0", "--listen"}
	router := freeAddr(t)
	first := start(t, append(args, router)...)
	want := fmt.Sprintf("px: a px up runs on %s already (pid %d): px client --router %s joins it\n", dir, first.cmd.Process.Pid, router)
	for name, listen := range map[string]string{"at the same address": router, "at another": "127.0.0.1:0"} {
		if out, errs, code := px(append(args, listen)...); code != exitFailed || out != "" || errs != want {
			t.Errorf("%s: %d, %s%s; want %s", name, code, out, errs, want)
		}
	}
	first.kill()
	start(t, append(args, "127.0.0.1:0")...) // what is left of it is in nobody's way
}

// TestSecondUpTellsNobodyThePassword of the NATS servers, which others may see on
// the screen or in a log.
func TestSecondUpTellsNobodyThePassword(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("whether a process lives is not known here; the second waits for its names")
	}
	server := natstest.Start(t, natstest.Config{User: "ada", Password: "hunter2"})
	host := strings.TrimPrefix(server.URL(), "nats://")
	args := []string{"up", "--no-client", "--log", "nats://ada:hunter2@" + host, "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--data"}
	start(t, append(args, t.TempDir())...)
	_, errs, code := px(append(args, t.TempDir())...)
	if code != exitFailed || !strings.Contains(errs, "runs on nats://ada:xxxxx@"+host+" already") || strings.Contains(errs, "hunter2") {
		t.Errorf("the second ended with %d: %s", code, errs)
	}
}
