package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"positivity-exchange/membership"
)

// TestOneDamagedPartition keeps nobody from the others: not from their rooms, and
// not from an export of them.
func TestOneDamagedPartition(t *testing.T) {
	dir := t.TempDir()
	shard := startShard(t, dir, "s1")
	router := startRouter(t, dir)
	send := func(router *process, room string) (errs string, code int) {
		_, errs, code = px("send", "--router", router.addr("client"), "--room", room, "--timeout", "20s", "hello")
		return errs, code
	}
	for _, room := range []string{"go", "tea"} {
		if errs, code := send(router, room); code != 0 {
			t.Fatal(errs)
		}
	}
	router.kill()
	shard.kill()
	damaged := membership.Partition("tea")
	path := filepath.Join(dir, "partitions", fmt.Sprintf("%03d.db", damaged))
	if err := os.WriteFile(path, bytes.Repeat([]byte("garbage "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + "-wal"); err != nil { // which would put it right
		t.Fatal(err)
	}
	startShard(t, dir, "s1")
	router = startRouter(t, dir)
	awaitHealth(t, router, http.StatusOK, fmt.Sprintf("but the rooms of partition %d cannot be listed: ", damaged))
	if errs, code := send(router, "go"); code != 0 {
		t.Errorf("in a room of another partition: %s", errs)
	}

	file := filepath.Join(t.TempDir(), "rooms.jsonl")
	start := time.Now()
	_, errs, code := px("export", "--data", dir, file)
	if code != exitFailed || !strings.Contains(errs, fmt.Sprintf("px: partition %d: ", damaged)) || !strings.Contains(errs, "--leave-out") {
		t.Errorf("an export ended with %d: %s", code, errs)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it said so after %s", took)
	}
	_, errs, code = px("export", "--data", dir, "--leave-out", fmt.Sprint(damaged), file)
	if code != 0 || !strings.Contains(errs, fmt.Sprintf("px: partition %d is left out", damaged)) || !strings.Contains(errs, " 2 records") {
		t.Errorf("an export without it ended with %d: %s", code, errs)
	}
}
