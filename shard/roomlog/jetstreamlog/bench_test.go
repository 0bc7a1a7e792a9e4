package jetstreamlog

import (
	"fmt"
	"strconv"
	"testing"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

func record(room string, seq uint64) roomlog.Record {
	return roomlog.Record{Room: room, Seq: seq, Kind: roomlog.KindMessage, User: "ada", ID: fmt.Sprint(seq), Time: 1, Content: fmt.Sprintf("message %d", seq)}
}

// BenchmarkAppend is sqlitelog's, on one server and on three.
func BenchmarkAppend(b *testing.B) {
	for _, servers := range []int{1, 3} {
		url := natstest.URLs(natstest.StartCluster(b, servers))
		for _, size := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("servers=%d/%s", servers, strconv.Itoa(size)), func(b *testing.B) {
				l, err := Open(Options{URL: url, Cluster: fmt.Sprintf("b%d", fresh.Add(1)), Partitions: 1})
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				if _, err := l.Acquire(b.Context(), 0, roomlog.Owner{}, roomlog.Owner{Boot: "b"}); err != nil {
					b.Fatal(err)
				}
				if err := l.Append(b.Context(), 0, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); err != nil {
					b.Fatal(err)
				}
				var seq uint64
				batch := make([]roomlog.Record, size)
				for b.Loop() {
					for i := range batch {
						seq++
						batch[i] = record("go", seq)
					}
					if err := l.Append(b.Context(), 0, 1, batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(seq), "us/record")
			})
		}
	}
}
