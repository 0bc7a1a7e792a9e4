package roomlogtest

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog"
)

// BenchmarkAppend appends batches of several sizes to a fresh log of open, and
// tells the time and the processor time a record. others is what processes
// beside this one have used that work for the log; nil if there are none.
func BenchmarkAppend(b *testing.B, open func(*testing.B) roomlog.Log, others func() time.Duration) {
	for _, size := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			l := open(b)
			defer l.Close() //nolint:errcheck // a benchmark's
			if _, err := l.Acquire(b.Context(), 0, roomlog.Owner{}, roomlog.Owner{Boot: "b"}); err != nil {
				b.Fatal(err)
			}
			if err := l.Append(b.Context(), 0, 1, []roomlog.Record{creation("go", "")}); err != nil {
				b.Fatal(err)
			}
			used := func() time.Duration {
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				d := time.Duration(u.Utime.Nano() + u.Stime.Nano())
				if others != nil {
					d += others()
				}
				return d
			}
			before := used()
			var seq uint64
			batch := make([]roomlog.Record, size)
			for b.Loop() {
				for i := range batch {
					seq++
					batch[i] = message("go", seq, "message")
				}
				if err := l.Append(b.Context(), 0, 1, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(seq), "us/record")
			b.ReportMetric(float64((used()-before).Microseconds())/float64(seq), "cpu-us/record")
		})
	}
}
