package jetstreamlog

import (
	"strings"
	"testing"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestOneHostOfThreeIsEnough to open what has three replicas: how many a new log
// is to have is another matter. What was asked for by number counts, and nobody is
// led to take replicas away.
func TestOneHostOfThreeIsEnough(t *testing.T) {
	servers := natstest.StartCluster(t, 3)
	l, err := Open(Options{URL: natstest.URLs(servers), Cluster: "px", Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.js.DeleteStream(t.Context(), "px-records-1"); err != nil { // as if its start had been cut short
		t.Fatal(err)
	}
	one, err := Open(Options{URL: servers[0].URL(), Cluster: "px", Partitions: 3})
	if err != nil {
		t.Fatalf("through one host: %v", err)
	}
	one.Close()
	for _, stream := range []string{"px-roll", "px-records-0", "px-records-1"} {
		s, err := l.js.Stream(t.Context(), stream)
		if err != nil || s.CachedInfo().Config.Replicas != 3 {
			t.Errorf("%s: %v, %+v", stream, err, s)
		}
	}
	_, err = Open(Options{URL: servers[0].URL(), Cluster: "px", Partitions: 3, Replicas: 1})
	if err == nil || !strings.Contains(err.Error(), "replicas is 3, not 1 (--nats-replicas 3 takes them as they are") {
		t.Errorf("asked for one: %v", err)
	}
}
