package main

import (
	"fmt"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// BenchmarkOpenLargeRoom is how long a client takes from its first dial until
// it has the newest page of a room of 100,000 messages: the median of twenty.
func BenchmarkOpenLargeRoom(b *testing.B) {
	const messages = 100_000
	dir := b.TempDir()
	startShard(b, dir, "s1")
	router := startRouter(b, dir).addr("client")
	writer := connectTo(b, "writer", router)
	if err := writer.Join(b.Context(), "go", nil); err != nil {
		b.Fatal(err)
	}
	for i := range messages {
		if _, err := writer.Post("go", fmt.Sprint("message ", i)); err != nil {
			b.Fatal(err)
		}
	}
	for stored := 0; stored < messages; {
		if m, ok := (<-writer.Events()).(client.Message); ok && m.Mine {
			stored++
		}
	}
	b.ResetTimer()
	var took []time.Duration
	for i := range 20 {
		start := time.Now()
		s := connectTo(b, fmt.Sprint("reader", i), router)
		drainEvents(s)
		if err := s.Join(b.Context(), "go", nil); err != nil {
			b.Fatal(err)
		}
		page, err := s.History(b.Context(), comms.History{Room: "go", Before: comms.MaxSeq, Limit: 100})
		if err != nil || len(page.Records) != 100 || page.Records[99].Seq != messages {
			b.Fatalf("%d records, %v", len(page.Records), err)
		}
		took = append(took, time.Since(start))
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(percentile(took, 0.5).Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(percentile(took, 1).Microseconds())/1000, "max-ms")
	b.ReportMetric(0, "ns/op")
}
