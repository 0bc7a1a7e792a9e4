package jetstreamlog

import (
	"fmt"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
	"positivity-exchange/shard/roomlog/roomlogtest"
)

func record(room string, seq uint64) roomlog.Record {
	return roomlog.Record{Room: room, Seq: seq, Kind: roomlog.KindMessage, User: "ada", ID: fmt.Sprint(seq), Time: 1, Content: fmt.Sprintf("message %d", seq)}
}

// BenchmarkAppend is sqlitelog's, on one server and on three, whose processor
// time counts.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("servers=%d", n), func(b *testing.B) {
			servers := natstest.StartCluster(b, n)
			roomlogtest.BenchmarkAppend(b, func(b *testing.B) roomlog.Log {
				l, err := Open(Options{URL: natstest.URLs(servers), Cluster: fmt.Sprintf("b%d", fresh.Add(1)), Partitions: 1})
				if err != nil {
					b.Fatal(err)
				}
				return l
			}, func() (sum time.Duration) {
				for _, s := range servers {
					sum += s.CPU(b)
				}
				return sum
			})
		})
	}
}
