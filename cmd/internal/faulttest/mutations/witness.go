package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// witness is a test that mutations are put before.
type witness struct {
	name     string
	folder   string // of the test's package, in the module
	test     string // a pattern of its name
	settings func(mutation) []string
	limit    time.Duration
}

var witnesses = []witness{
	{
		name: "fault test", folder: "cmd/internal/faulttest", test: "^TestChosen$", limit: 4 * time.Minute,
		settings: func(m mutation) []string { return []string{"PX_FAULT_NEMESES=" + m.nemeses} },
	},
	{
		name: "twin", folder: "cmd/internal/faulttest/twin", test: "^TestTwin$", limit: 5 * time.Minute,
		settings: func(mutation) []string { return []string{"PX_TWIN_SEEDS=30"} },
	},
}

// verdict is what a witness said of a mutation.
type verdict struct {
	caught bool
	failed bool   // maybe of something else
	by     string // the invariants that were named, or what the program died of
	took   time.Duration
}

func (v verdict) String() string {
	if !v.caught && v.failed {
		return fmt.Sprintf("NOT CAUGHT: it failed without naming an invariant, %.0f s", v.took.Seconds())
	}
	if !v.caught {
		return fmt.Sprintf("NOT CAUGHT in %.0f s", v.took.Seconds())
	}
	return fmt.Sprintf("%s, %.0f s", v.by, v.took.Seconds())
}

// ask runs a witness on the source with an overlay. Its output goes to a file
// in dir. An error means that it could not be asked.
func (w witness) ask(ctx context.Context, root, dir, overlay string, m mutation) (verdict, error) {
	binary := filepath.Join(dir, "witness.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", binary, "./"+w.folder)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return verdict{}, fmt.Errorf("build the %s with %q: %w\n%s", w.name, m.name, err, out)
	}
	defer os.Remove(binary) //nolint:errcheck // goes with dir at the latest
	limited, cancel := context.WithTimeout(ctx, w.limit+30*time.Second)
	defer cancel()
	run := exec.CommandContext(limited, binary, "-test.run", w.test, "-test.v", "-test.timeout", w.limit.String())
	run.Dir = filepath.Join(root, w.folder)
	// What the test builds by itself (px) is built from the mutated source, too.
	run.Env = append(os.Environ(), append(w.settings(m), "GOFLAGS='-overlay="+overlay+"'")...)
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	// It may have started processes that hold its output open.
	run.WaitDelay = 10 * time.Second
	start := time.Now()
	err := run.Run()
	v := verdict{failed: err != nil, by: finding(out.String()), took: time.Since(start)}
	v.caught = v.failed && v.by != ""
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit) && limited.Err() == nil:
		return v, err
	case err != nil && !failed.Match(out.Bytes()):
		return v, fmt.Errorf("the %s did not run: %w\n%s", w.name, err, out.String())
	case err == nil && bytes.Contains(out.Bytes(), []byte("--- SKIP")), bytes.Contains(out.Bytes(), []byte("no tests to run")):
		return v, fmt.Errorf("the %s did not run:\n%s", w.name, out.String())
	case bytes.Contains(out.Bytes(), []byte(" is skipped: ")):
		return v, fmt.Errorf("the %s skipped a nemesis:\n%s", w.name, out.String())
	}
	path := filepath.Join(dir, strings.ReplaceAll(w.name, " ", "-")+".out")
	return v, os.WriteFile(path, out.Bytes(), 0o600)
}

var (
	breach  = regexp.MustCompile(`(?m)(?:BREACH|seed \d+:|go:\d+:|: |^) ?(I\d+ [a-z][a-z -]*):`)
	failed  = regexp.MustCompile(`(?m)^--- FAIL: |^panic: |^fatal error: `)
	crashed = regexp.MustCompile(`(?m)^(?:panic|fatal error): .*$`)
)

// finding is what a failed test's output says was broken: the invariants in the
// order in which they are named, else what the program died of. A pause beyond
// its limit names none: a loaded machine makes them, too.
func finding(out string) string {
	var names []string
	for _, m := range breach.FindAllStringSubmatch(out, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	if len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return crashed.FindString(out)
}
