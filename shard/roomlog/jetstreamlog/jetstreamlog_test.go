package jetstreamlog

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
	"positivity-exchange/shard/roomlog/roomlogtest"
)

// fresh numbers the clusters of tests: each has streams of its own.
var fresh atomic.Int64

// on is the implementation on running servers. A spec is URL and cluster.
func on(url string) roomlogtest.Implementation {
	return roomlogtest.Implementation{
		Fresh: func(*testing.T) string { return fmt.Sprintf("%s|t%d-%d", url, os.Getpid(), fresh.Add(1)) },
		Open: func(spec string) (roomlog.Log, error) {
			url, cluster, _ := strings.Cut(spec, "|")
			l, err := Open(Options{URL: url, Cluster: cluster, Partitions: membership.Partitions})
			if err != nil {
				return nil, err
			}
			return patient{l}, nil
		},
		Processes: true,
		Share:     setting("PX_NATS_SHARE", 20),
	}
}

func TestMain(m *testing.M) {
	natstest.Main()
	roomlogtest.Main(m, on(""))
}

func TestConformance(t *testing.T) {
	roomlogtest.Test(t, on(natstest.Start(t, natstest.Config{}).URL()))
}
