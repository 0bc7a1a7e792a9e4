package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	lookEvery   = time.Second
	quietAllocs = 1 << 20 // bytes allocated between two looks, at most, by a quiet process
	worthwhile  = 4 << 20 // bytes that could be given back, at least
	stack       = 4 << 10 // bytes of one, once its goroutine has done something
)

// ReturnMemory gives what a crowd needed while it came back to the operating
// system once the process is quiet again, until ctx ends. The runtime alone
// collects a quiet process every two minutes and keeps most of what is free; a
// collection also takes the stacks of goroutines that have ended, such as those
// of sessions that have just fallen silent.
func ReturnMemory(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	m := newMemory()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.look()
		}
	}
}

// memory is what was seen at the last look.
type memory struct {
	samples    []metrics.Sample
	allocated  uint64
	returned   uint64 // allocated, when memory was given back last
	goroutines uint64 // most of them, as far as was seen since then
}

func newMemory() *memory {
	m := &memory{}
	for _, name := range []string{"/gc/heap/allocs:bytes", "/memory/classes/heap/free:bytes", "/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes", "/sched/goroutines:goroutines"} {
		m.samples = append(m.samples, metrics.Sample{Name: name})
	}
	return m
}

// look gives memory back if the process has been quiet since the look before
// and has enough of it, and reports whether it did.
func (m *memory) look() bool {
	metrics.Read(m.samples)
	allocs, free, objects, live := m.samples[0].Value.Uint64(), m.samples[1].Value.Uint64(), m.samples[2].Value.Uint64(), m.samples[3].Value.Uint64()
	since := allocs - m.allocated
	m.allocated = allocs
	garbage := objects - min(objects, live)
	goroutines := m.samples[4].Value.Uint64()
	m.goroutines = max(m.goroutines, goroutines)
	stacks := (m.goroutines - goroutines) * stack // of those that have ended
	if since > quietAllocs || free+garbage+stacks < worthwhile || allocs-m.returned+stacks < worthwhile {
		return false
	}
	debug.FreeOSMemory()
	m.returned, m.goroutines = allocs, goroutines
	return true
}
