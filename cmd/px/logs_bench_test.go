package main

import (
	"encoding/json"
	"testing"
	"time"

	"positivity-exchange/cmd/internal/stress"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// BenchmarkLogs puts the same load on one shard whose rooms are in SQLite, in
// one NATS server and in three, and reports processor time: the shard's and the
// NATS servers', a delivery and a message. It is once a run: -benchtime 1x.
func BenchmarkLogs(b *testing.B) {
	for _, log := range []struct {
		name    string
		servers int
	}{{"SQLite", 0}, {"JetStream", 1}, {"JetStreamOfThree", 3}} {
		for _, profile := range []string{"rooms", "small"} {
			b.Run(log.name+"/"+profile, func(b *testing.B) {
				var servers []*natstest.Server
				if log.servers > 0 {
					servers = natstest.StartCluster(b, log.servers)
					b.Setenv("PX_LOG", natstest.URLs(servers))
				}
				dir := b.TempDir()
				startShard(b, dir, "s1")
				router := startRouter(b, dir).addr("client")
				theirs := func() (used time.Duration) {
					for _, s := range servers {
						used += s.CPU(b)
					}
					return used
				}
				before := theirs()
				out, errs, code := px("stress", profile, "--router", router, "--warmup", "1s", "--duration", "5s", "--json")
				nats := theirs() - before
				var r stress.Result
				if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
					b.Fatalf("exit code %d, %v: %s", code, err, errs)
				}
				us := float64(nats.Microseconds())
				b.ReportMetric(r.CPU, "px-us/delivery")
				b.ReportMetric(us/float64(r.Delivered), "nats-us/delivery")
				b.ReportMetric(r.CPU*float64(r.Delivered)/float64(r.Sent), "px-us/message")
				b.ReportMetric(us/float64(r.Sent), "nats-us/message")
				b.ReportMetric(r.PerSecond, "deliveries/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
