package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mountSmall mounts a file system of the given size, or skips where that is not allowed.
func mountSmall(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDiskIsSaidAndForgotten fills the disk below a living cluster: what
// is sent then is not acknowledged and says so; once there is room again all
// goes on without a restart.
func TestFullDiskIsSaidAndForgotten(t *testing.T) {
	dir := mountSmall(t, 16)
	shards := []*process{startShard(t, dir, "s1"), startShard(t, dir, "s2")}
	router := startRouter(t, dir).addr("client")
	send := func(args ...string) (string, string, int) {
		return px(append([]string{"send", "--router", router, "--room", "go"}, args...)...)
	}
	if _, errs, code := send("before"); code != 0 {
		t.Fatal(errs)
	}
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
	// What fits into pages already there may still be stored; a long one is not.
	long := strings.Repeat("x", 16<<10)
	for i := 0; ; i++ {
		_, errs, code := send("--timeout", "2s", long)
		if code == exitFailed && strings.Contains(errs, "not acknowledged") {
			break
		}
		if code != 0 || i == 100 {
			t.Fatalf("send number %d on a full disk ended with %d: %s", i, code, errs)
		}
	}
	// Past the time after which members call themselves cut.
	if _, errs, code := send("--timeout", "3s", long); code != exitFailed || !strings.Contains(errs, "not acknowledged") {
		t.Errorf("on a full disk: %d, %s", code, errs)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	if _, errs, code := send("--timeout", "10s", "after"); code != 0 {
		t.Fatalf("after the disk was freed: %s", errs)
	}
	t.Logf("writable %s after the disk was freed", time.Since(freed))
	for _, p := range shards {
		if state := stateOf(p); state == 'Z' {
			t.Errorf("a shard has ended:\n%s", p.log())
		}
	}
	out, _, _ := px("tail", "--router", router, "--room", "go", "--since", "0", "--json", "--count", "2")
	if !strings.Contains(out, `"before"`) {
		t.Errorf("history: %s", out)
	}
}

func TestDataDirectoriesThatAreRefused(t *testing.T) {
	dir := mountSmall(t, 1)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("a read-only file system cannot be had here: %v", err)
	}
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "cluster.json"), []byte(`{"identity":"x","schema":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	secretless := t.TempDir()
	if err := os.WriteFile(filepath.Join(secretless, "secret"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ dir, want string }{
		"read-only":        {dir, "data directory"},
		"newer schema":     {newer, "schema 99"},
		"a damaged secret": {secretless, "32 bytes"},
	} {
		_, errs, code := px("shard", "--name", "s1", "--data", c.dir, "--gossip", "127.0.0.1:0")
		if code != exitFailed || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") > 1 {
			t.Errorf("%s: ended with %d, %q; want one line with %q", name, code, errs, c.want)
		}
	}
}

// TestShardOfAnotherLogIsRefused joins two clusters by mistake.
func TestShardOfAnotherLogIsRefused(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	first := startShard(t, one, "s1")
	secret := filepath.Join(one, "secret")
	_, errs, code := px("shard", "--name", "s2", "--data", two, "--secret-file", secret, "--gossip", "127.0.0.1:0", "--join", first.addr("gossip"))
	if code != exitFailed || !strings.Contains(errs, "share one log") {
		t.Errorf("ended with %d: %s", code, errs)
	}
	if state := stateOf(first); state == 'Z' {
		t.Error("the first shard has ended")
	}
}

// TestRouterWithoutShards answers that there is none, and when to come again.
func TestRouterWithoutShards(t *testing.T) {
	dir := t.TempDir()
	router := startRouter(t, dir).addr("client")
	nc, err := net.Dial("tcp", router)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(nc)
	in.Buffer(nil, 1<<20)
	if _, err := fmt.Fprint(nc, `{"_ct":"hello","v":1,"u":"ada"}`+"\n"+`{"_ct":"locate","r":"go"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	for in.Scan() {
		if strings.Contains(in.Text(), `"_et":"error"`) {
			break
		}
	}
	if got := in.Text(); !strings.Contains(got, `"code":"no_shard"`) || !strings.Contains(got, `"retry":`) {
		t.Errorf("locate without shards: %s", got)
	}
	// Whoever waits is served as soon as there is one.
	sent := make(chan string, 1)
	go func() {
		_, errs, code := px("send", "--router", router, "--room", "go", "--timeout", "20s", "early")
		sent <- fmt.Sprint(code, errs)
	}()
	startShard(t, dir, "s1")
	if got := <-sent; got != "0" {
		t.Errorf("a message sent before there was a shard: %s", got)
	}
}
