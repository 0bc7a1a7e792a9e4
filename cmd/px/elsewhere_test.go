package main

import (
	"strings"
	"testing"
)

// TestAnotherClusterAtTheSameAddress, as px up with another --data is: what waits
// for the first is not sent to it, nothing of the first is taken for its, and all is
// there when the first is back. That holds for a client that is open meanwhile, too.
func TestAnotherClusterAtTheSameAddress(t *testing.T) {
	term := newTerminal(t)
	router, dirs := freeAddr(t), map[string]string{"A": t.TempDir(), "B": t.TempDir()}
	up := func(cluster string) *process {
		return start(t, "up", "--no-client", "--shards", "1", "--data", dirs[cluster], "--listen", router, "--http", "127.0.0.1:0", "--gossip", "127.0.0.1:0")
	}
	args := []string{"--router", router, "--user", "zoe"}
	cluster := up("A")
	w := term.client("first", 80, 24, args...)
	w.seeText("nobody has said anything yet")
	w.line("said in A")
	w.see("a message, stored", func(screen string) bool { return marks(screen, "✓") == 1 })
	w.keys("C-c")
	w.ended()
	cluster.kill()
	w = term.client("offline", 80, 24, args...)
	w.seeText("offline: no server at")
	w.line("for A only")
	w.see("a message that waits", func(screen string) bool { return marks(screen, "·") == 1 })
	w.keys("C-c")
	w.ended()

	cluster = up("B")
	w = term.client("elsewhere", 80, 24, args...)
	w.seeText("another cluster than last time answers at " + router)
	screen := w.seeText("nobody has said anything yet")
	if strings.Contains(screen, " A") || strings.Contains(screen, "missing") {
		t.Errorf("of the first cluster is shown:\n%s", screen)
	}
	w.line("said in B")
	w.see("a message, stored", func(screen string) bool { return marks(screen, "✓") == 1 })
	if texts := storedTexts(t, router, "general", 1); strings.Join(texts, "|") != "said in B" {
		t.Errorf("the second cluster has %q", texts)
	}
	cluster.kill() // the client goes on
	w.line("for B only")
	w.see("a message that waits", func(screen string) bool { return strings.Contains(screen, "waiting to be sent") })

	cluster = up("A")
	w.seeText("another cluster answers at " + router)
	again := term.client("again", 80, 24, args...)
	again.see("what waited, stored", func(screen string) bool {
		return strings.Contains(screen, "for A only") && marks(screen, "✓") == 2
	})
	again.line("the last")
	if texts := storedTexts(t, router, "general", 3); strings.Join(texts, "|") != "said in A|for A only|the last" {
		t.Errorf("the first cluster has %q", texts)
	}
	cluster.kill()

	up("B")
	w.see("what waited, stored", func(screen string) bool { return marks(screen, "✓") == 2 })
	if texts := storedTexts(t, router, "general", 2); strings.Join(texts, "|") != "said in B|for B only" {
		t.Errorf("the second cluster has %q", texts)
	}
}
