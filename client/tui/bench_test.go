//go:build unix

package tui

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/profile"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

func BenchmarkDraw(b *testing.B) {
	a, s := showing(b, 80, 24, chat())
	defer s.Fini()
	for b.Loop() {
		a.draw()
	}
}

// full is a state of 200 joined rooms with a page of 100 messages each.
func full() state.State {
	st := state.State{Page: state.PageChat, User: "ada", Now: noon, Since: noon, Router: client.RouterLink{Up: true}}
	for i := range 200 {
		name := fmt.Sprintf("room-%03d", i)
		st = st.Apply(client.Joined{Room: name, Head: comms.Position{Seq: 100}})
		p := comms.HistoryPage{Room: name, Head: 100}
		for seq := uint64(1); seq <= 100; seq++ {
			p.Records = append(p.Records, said(name, "bob", "a message of the usual length, with some words in it", seq).Record)
		}
		st = st.WithHistory(name, p)
	}
	return st.Open("room-000")
}

// BenchmarkSwitchRooms is the time from the key to the other room on the screen.
func BenchmarkSwitchRooms(b *testing.B) {
	a, s := showing(b, 80, 24, full())
	defer s.Fini()
	for b.Loop() {
		a.st = a.st.Open(a.st.Next(1))
		a.draw()
	}
}

// BenchmarkFirstPaint is the time from an opened profile to its room on the
// screen, before any server has answered.
func BenchmarkFirstPaint(b *testing.B) {
	dir := b.TempDir()
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME"} {
		b.Setenv(v, filepath.Join(dir, v))
	}
	p, err := profile.Open("ada@bench")
	if err != nil {
		b.Fatal(err)
	}
	st := full()
	if err := p.Save(st.Save()); err != nil {
		b.Fatal(err)
	}
	for _, r := range st.Rooms {
		if err := p.SaveRoom(r.Name, r.Records(cached), r.Last); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := profile.Open("ada@bench")
		if err != nil {
			b.Fatal(err)
		}
		saved, err := p.Load()
		if err != nil {
			b.Fatal(err)
		}
		a, s := showing(b, 80, 24, state.State{Page: state.PageChat, User: "ada", Now: noon}.Restore(saved))
		a.st = a.st.Open(saved.Active)
		records, head, _ := p.LoadRoom(saved.Active)
		a.st = a.st.WithHistory(saved.Active, comms.HistoryPage{Records: records, Head: head})
		a.draw()
		s.Fini()
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPour lets 5,000 messages a second pour into the open room of 200 for
// five seconds while somebody types, and reports the time from a key to its
// character in the line, the CPU used, and the memory.
func BenchmarkPour(b *testing.B) {
	const perSecond, seconds = 5000, 5
	for b.Loop() {
		a, s := showing(b, 80, 24, full())
		a.opts.Now = time.Now
		a.st.Now = time.Now()
		a.results = make(chan func(), 16)
		events := make(chan client.Event, 256)
		a.events = events
		ctx, cancel := context.WithCancel(b.Context())
		a.ctx = ctx
		var ui sync.WaitGroup
		ui.Go(func() { a.run(ctx) }) //nolint:errcheck // ends with ctx
		var pouring sync.WaitGroup
		cpu := cpuTime(b)
		start := time.Now()
		pouring.Go(func() {
			for seq := uint64(101); seq <= 100+perSecond*seconds; seq++ {
				if due := start.Add(time.Duration(seq-101) * time.Second / perSecond); time.Until(due) > time.Millisecond {
					<-time.After(time.Until(due))
				}
				events <- said("room-000", "bob", "a message of the usual length, with some words in it", seq)
			}
		})
		var latencies []time.Duration
		for n := 1; time.Since(start) < seconds*time.Second; n++ {
			<-time.After(20 * time.Millisecond)
			pressed := time.Now()
			s.InjectKey(tcell.KeyRune, 'x', tcell.ModNone)
			want := strings.Repeat("x", n%50)
			if n%50 == 0 {
				s.InjectKey(tcell.KeyCtrlU, 0, tcell.ModNone)
			}
			for inputLine(s) != want {
				<-time.After(500 * time.Microsecond)
				if time.Since(pressed) > 5*time.Second {
					b.Fatalf("the line is %q, want %q", inputLine(s), want)
				}
			}
			latencies = append(latencies, time.Since(pressed))
		}
		pouring.Wait()
		used := cpuTime(b) - cpu
		cancel()
		ui.Wait()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		slices.Sort(latencies)
		b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "key-p99-ms")
		b.ReportMetric(used.Seconds()/time.Since(start).Seconds(), "cores")
		b.ReportMetric(float64(mem.Sys)/(1<<20), "MiB")
		s.Fini()
	}
	b.ReportMetric(0, "ns/op")
}

// inputLine is what stands in the input line.
func inputLine(s tcell.SimulationScreen) string {
	cells, w, h := s.GetContents()
	var b strings.Builder
	for x := len(" ada ▸ ") - 2; x < w; x++ {
		b.WriteString(string(cells[(h-2)*w+x].Runes))
	}
	return strings.TrimSpace(b.String())
}
