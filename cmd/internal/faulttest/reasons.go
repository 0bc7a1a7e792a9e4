package faulttest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// reasons is a test that remembers why it failed. The figures of a run come
// behind what it found, and whoever reads the end of a long output alone, as is
// usual where CI ran, must see why.
type reasons struct {
	testing.TB

	mu    sync.Mutex
	texts []string
}

func (r *reasons) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, strings.TrimSpace(text))
}

func (r *reasons) Error(args ...any) {
	r.Helper()
	r.note(fmt.Sprintln(args...))
	r.TB.Error(args...)
}

func (r *reasons) Errorf(format string, args ...any) {
	r.Helper()
	r.note(fmt.Sprintf(format, args...))
	r.TB.Errorf(format, args...)
}

func (r *reasons) Fatal(args ...any) {
	r.Helper()
	r.note(fmt.Sprintln(args...))
	r.TB.Fatal(args...)
}

func (r *reasons) Fatalf(format string, args ...any) {
	r.Helper()
	r.note(fmt.Sprintf(format, args...))
	r.TB.Fatalf(format, args...)
}

// again logs the first of them once more.
func (r *reasons) again() {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	const most = 10
	shown := r.texts[:min(most, len(r.texts))]
	r.Logf("it failed %d times:\n%s", len(r.texts), strings.Join(shown, "\n"))
}
