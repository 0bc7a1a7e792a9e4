package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMutationsApplyAndCompile: what is listed fits the source of today. Those
// that can be in the source together are compiled together.
func TestMutationsApplyAndCompile(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	left := mutations
	for len(left) > 0 {
		all := &copies{root: root, text: map[string]string{}}
		var next []mutation
		build := exec.Command("go", "vet", "-overlay", "")
		for _, m := range left {
			alone := &copies{root: root, text: map[string]string{}}
			if err := alone.apply(m); err != nil {
				t.Fatal(err)
			}
			if all.apply(m) != nil {
				next = append(next, m)
				continue
			}
			for _, e := range m.edits {
				build.Args = append(build.Args, "./"+filepath.Dir(e.file))
			}
		}
		left = next
		if build.Args[3], err = all.write(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func TestMutationThatDoesNotApplyIsAnError(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"no such text anywhere in there", "\n"} {
		c := &copies{root: root, text: map[string]string{}}
		if c.apply(mutation{name: "x", edits: []edit{{"go.mod", "module ", "x"}, {"go.mod", old, ""}}}) == nil || len(c.text) != 0 {
			t.Errorf("%q applies", old)
		}
	}
}

func TestFindingNamesWhatWasBroken(t *testing.T) {
	for text, want := range map[string]string{
		"    run.go:1: BREACH I2 once: #hot: 3 is there twice (lines 1 2)\n    run.go:1: BREACH I1 kept: x\n    run.go:1: BREACH I2 once: y": "I2 once, I1 kept",
		"    twin_test.go:9: seed 3: I12 converges: an answer to every message\n":                                                            "I12 converges",
		"    report.go:9: kill: I11 isolation: a room of another shard\n":                                                                    "I11 isolation",
		"panic: runtime error: index out of range\n--- FAIL: x\n":                                                                            "panic: runtime error: index out of range",
		"    run.go:7: the load did not come in\n--- FAIL: TestX (3.00s)\n":                                                                  "",
		"    run.go:7: 1-zombie: I6 one writer: there was no refused append\n--- FAIL: TestX (3.00s)\n":                                      "I6 one writer",
	} {
		if got := finding(text); got != want {
			t.Errorf("of %q: %q, want %q", text, got, want)
		}
	}
}
