package app

import (
	"runtime"
	"testing"
)

func TestMemoryIsGivenBackOnceQuiet(t *testing.T) {
	k := newKeeper()
	k.look()
	crowd := make([][]byte, 64)
	for i := range crowd {
		crowd[i] = make([]byte, 1<<20)
		crowd[i][i] = 1
	}
	if k.look() {
		t.Error("given back while 64 MiB came")
	}
	runtime.KeepAlive(crowd)
	crowd = nil
	if !k.look() {
		t.Error("not given back when quiet")
	}
	if k.look() {
		t.Error("given back again, and nothing had come since")
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if kept := after.HeapIdle - after.HeapReleased; kept > 8<<20 {
		t.Errorf("%d bytes are free and kept", kept)
	}
}
