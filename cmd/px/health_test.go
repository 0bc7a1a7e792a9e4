package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// awaitHealth waits for an answer of /readyz with a word of why.
func awaitHealth(t *testing.T, router *process, code int, why string) {
	t.Helper()
	await(t, "answer of /readyz with "+why, func() bool {
		answer, err := http.Get("http://" + router.addr("http") + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode == code && strings.Contains(string(body), why)
	})
}

// TestReadyNoMoreOnceTheStoreOrTheShardsAreGone: whoever balances between
// routers asks /readyz, and looks at px status for why.
func TestReadyNoMoreOnceTheStoreOrTheShardsAreGone(t *testing.T) {
	server := natstest.Start(t, natstest.Config{})
	a := newApart(t, server.URL())
	shard := a.start("shard", "--name", "s1")
	router := a.start("router", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
	awaitHealth(t, router, http.StatusOK, "ready")

	server.Kill()
	awaitHealth(t, router, http.StatusServiceUnavailable, "cut off from the room log")
	if out, errs, code := px("status", "--router", router.addr("client")); code != 0 || !strings.Contains(out, "  active, cut off from the log  ") {
		t.Errorf("status: %d, %s%s", code, out, errs)
	}
	server.Start(t)
	awaitHealth(t, router, http.StatusOK, "ready")

	shard.kill()
	awaitHealth(t, router, http.StatusServiceUnavailable, "no shard serves")
}

// TestNoHTTP where its address is empty: there is none then, not one on every
// interface at any port.
func TestNoHTTP(t *testing.T) {
	args := []string{"router", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0"}
	for name, cmd := range map[string]*exec.Cmd{
		"by the flag":     exec.Command(binary, append(args, "--http", "")...),
		"by its variable": exec.Command(binary, args...),
	} {
		cmd.Env = append(os.Environ(), "PX_HTTP=")
		router, err := launch(t, cmd)
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, router.log())
		}
		if got := router.addr("http"); got != "none" {
			t.Errorf("%s: http=%s", name, got)
		}
		router.signal(syscall.SIGTERM)
		<-router.ended
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s: it ended with %d: %s", name, code, router.log())
		}
	}
}
