package app

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
)

func TestMemoryIsGivenBackOnceQuiet(t *testing.T) {
	// A collection of the runtime's own, ended after the crowd has come, would have
	// it for alive and its end for nothing worth giving back.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // ends one that is under way
	m := newMemory()
	m.look()
	crowd := make([][]byte, 64)
	for i := range crowd {
		crowd[i] = make([]byte, 1<<20)
		crowd[i][i] = 1
	}
	if m.look() {
		t.Error("given back while 64 MiB came")
	}
	runtime.KeepAlive(crowd)
	crowd = nil
	if !m.look() {
		t.Error("not given back when quiet")
	}
	if m.look() {
		t.Error("given back again, and nothing had come since")
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if kept := after.HeapIdle - after.HeapReleased; kept > 8<<20 {
		t.Errorf("%d bytes are free and kept", kept)
	}
}

// TestStacksAreGivenBackOnceQuiet: a crowd of goroutines leaves them behind,
// and what its end allocates is next to nothing.
func TestStacksAreGivenBackOnceQuiet(t *testing.T) {
	m := newMemory()
	const crowd = 4000
	var wg, running sync.WaitGroup
	end := make(chan struct{})
	running.Add(crowd)
	for range crowd {
		wg.Go(func() {
			deep(make([]byte, 1))
			running.Done()
			<-end
		})
	}
	running.Wait()
	m.look()
	if m.look() {
		m.look() // what the start left behind may be worth it
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	close(end)
	wg.Wait()
	if !m.look() {
		t.Error("not given back when quiet")
	}
	runtime.ReadMemStats(&after)
	if freed := int64(before.StackInuse) - int64(after.StackInuse); freed < crowd*stack/2 {
		t.Errorf("%d bytes of the stacks of %d goroutines were taken", freed, crowd)
	}
	if m.look() {
		t.Error("given back again, and nothing had come since")
	}
}

// deep needs more stack than a goroutine begins with.
//
//go:noinline
func deep(b []byte) byte {
	var on [2048]byte
	copy(on[:], b)
	return on[len(b)]
}
