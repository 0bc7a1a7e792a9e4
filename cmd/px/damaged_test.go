package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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

// TestTailSaysWhatCannotBeRead, rather than to fall silent.
func TestTailSaysWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	shard, router := startShard(t, dir, "s1"), startRouter(t, dir)
	send := exec.Command(binary, "send", "--router", router.addr("client"), "--room", "go")
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "message %d %s\n", i+1, strings.Repeat("x", 100))
	}
	send.Stdin = strings.NewReader(text.String())
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	router.kill()
	shard.signal(syscall.SIGTERM)
	<-shard.ended
	path := filepath.Join(dir, "partitions", fmt.Sprintf("%03d.db", membership.Partition("go")))
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const pageSize = 4096
	at := bytes.Index(file, []byte("message 1500 ")) / pageSize * pageSize
	copy(file[at:at+pageSize], bytes.Repeat([]byte("garbage "), pageSize/8))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	startShard(t, dir, "s1")
	tail, _, err := spawn(t, exec.Command(binary, "tail", "--router", startRouter(t, dir).addr("client"), "--room", "go", "--since", "0"))
	if err != nil {
		t.Fatal(err)
	}
	awaitLog(t, tail, "px: #go: what follows cannot be read from the store; trying again")
}
