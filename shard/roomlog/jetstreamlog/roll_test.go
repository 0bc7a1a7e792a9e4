package jetstreamlog

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestRollOfThousands: routers that are killed stay on the roll for a day, each
// under a name of its own, and a server answers for 1,024 subjects at a time.
func TestRollOfThousands(t *testing.T) {
	l, err := Open(Options{URL: natstest.Start(t, natstest.Config{}).URL(), Cluster: "px", Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	boot := func(i int) string { return fmt.Sprintf("b%04d", i) }
	written := 0
	for _, n := range []int{1023, 1024, 1025, 2500} {
		for ; written < n; written++ {
			b, err := json.Marshal(roomlog.Entry{Process: roomlog.Process{Name: "r" + boot(written), Boot: boot(written), Role: "router"}, Beat: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.js.PublishAsync("px-roll."+boot(written), b); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-l.js.PublishAsyncComplete():
		case <-time.After(10 * time.Second):
			t.Fatal("the roll was not written")
		}
		before, err := l.Entries(t.Context())
		if err != nil {
			t.Fatalf("%d entries: %v", n, err)
		}
		read, err := l.Beat(t.Context(), boot(n/2), []int{7})
		if err != nil || len(read) != n {
			t.Fatalf("a heartbeat among %d reads %d, %v", n, len(read), err)
		}
		after, err := l.Entries(t.Context())
		if err != nil || len(before) != n || len(after) != n {
			t.Fatalf("%d entries: read %d, then %d, %v", n, len(before), len(after), err)
		}
		for i, e := range after {
			if i == n/2 && (e.Beat != before[i].Beat+1 || !slices.Equal(e.Wants, []int{7})) || e.Boot != boot(i) {
				t.Errorf("entry %d of %d is %+v", i, n, e)
			}
		}
	}
	if err := l.Strike(t.Context(), boot(2000)); err != nil {
		t.Fatal(err)
	}
	if left, err := l.Entries(t.Context()); err != nil || len(left) != 2499 {
		t.Errorf("one is struck off: %d are left, %v", len(left), err)
	}
}
