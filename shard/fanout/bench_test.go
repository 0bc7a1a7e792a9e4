package fanout

import (
	"io"
	"strings"
	"sync"
	"testing"
)

// TestDeliveryAllocatesNothing: what a message costs must not grow with those
// who hear it. The ring's own memory is counted out by publishing to one reader.
func TestDeliveryAllocatesNothing(t *testing.T) {
	event := []byte(strings.Repeat("x", 119) + "\n")
	perMessage := func(readers int) float64 {
		p := pool(t)
		r := p.NewRing(0, &book{})
		for range readers {
			server, client := tcpPair(t)
			o := p.NewOutlet(server, func(error) {})
			o.Attach(r, 0, nil)
			o.Flush()
			go io.Copy(io.Discard, client) //nolint:errcheck // ends with the connection
		}
		var seq uint64
		return testing.AllocsPerRun(200, func() {
			seq++
			r.Append(seq, event)
			r.Wake()
		})
	}
	for _, n := range []int{101, crowd + 1} {
		one, many := perMessage(1), perMessage(n)
		if each := (many - one) / float64(n-1); each > 0.005 { // the readers' goroutines are counted, too
			t.Errorf("%g allocations a delivery (%g a message to 1, %g to %d)", each, one, many, n)
		}
	}
}

func BenchmarkFanout1000(b *testing.B) {
	p, log := pool(b), &book{}
	r := p.NewRing(0, log)
	var got sync.WaitGroup
	for range 1000 {
		server, client := tcpPair(b)
		o := p.NewOutlet(server, func(error) {})
		o.Attach(r, 0, nil)
		o.Flush()
		go func() {
			buf := make([]byte, 64<<10)
			for {
				n, err := client.Read(buf)
				if err != nil {
					return
				}
				for _, c := range buf[:n] {
					if c == '\n' {
						got.Done()
					}
				}
			}
		}()
	}
	event := []byte(strings.Repeat("x", 119) + "\n")
	var seq uint64
	b.ReportAllocs()
	for b.Loop() {
		got.Add(1000)
		seq++
		r.Append(seq, event)
		r.Wake()
		got.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(1000*b.N), "ns/delivery")
}
