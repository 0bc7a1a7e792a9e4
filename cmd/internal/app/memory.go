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
)

// ReturnMemory gives what a crowd needed while it came back to the operating
// system once the process is quiet again, until ctx ends. The runtime alone
// collects a quiet process every two minutes and keeps most of what is free; a
// collection also shrinks the stacks of sessions that have just become idle.
func ReturnMemory(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	k := newKeeper()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.look()
		}
	}
}

// memoryKeeper remembers the last look.
type memoryKeeper struct {
	samples   []metrics.Sample
	allocated uint64
	returned  uint64 // allocated, when memory was given back last
}

func newKeeper() *memoryKeeper {
	k := &memoryKeeper{}
	for _, name := range []string{"/gc/heap/allocs:bytes", "/memory/classes/heap/free:bytes", "/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes"} {
		k.samples = append(k.samples, metrics.Sample{Name: name})
	}
	return k
}

// look gives memory back if the process has been quiet since the look before
// and has enough of it, and reports whether it did.
func (k *memoryKeeper) look() bool {
	metrics.Read(k.samples)
	allocs, free, objects, live := k.samples[0].Value.Uint64(), k.samples[1].Value.Uint64(), k.samples[2].Value.Uint64(), k.samples[3].Value.Uint64()
	since := allocs - k.allocated
	k.allocated = allocs
	garbage := objects - min(objects, live)
	if since > quietAllocs || free+garbage < worthwhile || allocs-k.returned < worthwhile {
		return false
	}
	debug.FreeOSMemory()
	k.returned = allocs
	return true
}
