package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"positivity-exchange/cmd/internal/stress"
)

// TestStressMeasuresACluster: it finds the shard's process by itself, prints
// one object, and ends with 0.
func TestStressMeasuresACluster(t *testing.T) {
	dir := t.TempDir()
	shard := startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	out, errs, code := px("stress", "small", "--router", router, "--room-count", "3", "--sessions", "9", "--warmup", "0s", "--duration", "300ms", "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	var r stress.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Profile.Rooms != 3 || r.Profile.Sessions != 9 || r.Sent == 0 || r.Acknowledged != r.Sent || r.Delivered != 3*r.Sent {
		t.Errorf("got %+v", r)
	}
	if pid := shard.cmd.Process.Pid; runtime.GOOS == "linux" && (len(r.Pids) != 1 || r.Pids[0] != pid || r.CPU <= 0 || r.Memory == 0) {
		t.Errorf("the shard is process %d; measured were %v, with %.3f us a delivery", pid, r.Pids, r.CPU)
	}
	out, errs, code = px("stress", "latency", "--router", router, "--sessions", "10", "--messages", "20")
	if code != 0 || !strings.Contains(out, "lost, doubled, out of order, altered  0, 0, 0, 0") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestStressUsage: what cannot be run is said, with the code for usage.
func TestStressUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nosuch"}, {"fanout", "rooms"}, {"fanout", "--sessions", "0"}, {"fanout", "--window", "1", "--rate", "1"}} {
		if _, errs, code := px(append([]string{"stress"}, args...)...); code != exitUsage {
			t.Errorf("px stress %v: exit code %d: %s", args, code, errs)
		}
	}
	if runtime.GOOS == "linux" {
		if out, errs, code := px("stress", "small", "--pid", "999999999"); code != exitFailed || out != "" || errs != "px: no process has the number 999999999\n" {
			t.Errorf("exit code %d: %s%s", code, out, errs)
		}
	}
	if _, errs, code := px("stress", "small", "--router", "127.0.0.1:1"); code != exitFailed || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
