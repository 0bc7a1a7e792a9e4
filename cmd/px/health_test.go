package main

import (
	"io"
	"net/http"
	"strings"
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
