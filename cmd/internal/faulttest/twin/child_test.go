package twin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
)

// order is what a child process is to run.
type order struct {
	Seed   uint64
	Defect Defect
	Lines  bool
	Log    bool
	Start  uint64 // run only if the process begins here; 0: wherever it does
}

// String is what parseOrder reads, of equal length for all: it lies in the heap
// of the child, whose layout decides on the order of maps with pointers.
func (o order) String() string {
	return fmt.Sprintf("%020d %016x %-30s %-5t %-5t", o.Seed, o.Start, cmp.Or(string(o.Defect), "-"), o.Lines, o.Log)
}

func parseOrder(text string) (o order, err error) {
	_, err = fmt.Sscanf(text, "%d %x %s %t %t", &o.Seed, &o.Start, &o.Defect, &o.Lines, &o.Log)
	if o.Defect == "-" {
		o.Defect = ""
	}
	return o, err
}

// TestChild runs one seed in a process of its own, started by runSeed.
func TestChild(t *testing.T) {
	text := os.Getenv("PX_TWIN_CHILD")
	if text == "" {
		t.Skip("it is run by the other tests")
	}
	o, err := parseOrder(text)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Defect: o.Defect}
	if o.Log {
		opts.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if err := freshThread(); err != nil {
		t.Fatal(err)
	}
	at := whereItStarts()
	if o.Start != 0 && o.Start != at {
		fmt.Println(resultMark + "{}")
		return
	}
	cryptotest.SetGlobalRandom(t, o.Seed)
	var res *Result
	synctest.Test(t, func(*testing.T) { res = Run(o.Seed, opts) })
	res.Start = at
	if !o.Lines {
		res.Lines = nil // kept nonetheless, so that the run is the same
	}
	out, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s%s\n", resultMark, out)
}

// whereItStarts tells starts apart that lead to other runs of the same seed: the
// runtime's first threads run beside each other for a moment, which decides how
// far the random numbers are drawn and which parts of the heap are in use (and
// so the order of maps whose keys are pointers).
func whereItStarts() uint64 {
	text := fmt.Sprint(rand.Uint64())
	for size := 8; size <= 8<<10; size *= 2 {
		text += fmt.Sprintf(" %p %p", make([]byte, size), make([]*byte, size/8))
	}
	return checker.Hash(text)
}

const resultMark = "twin result "

// needsTime skips a test that runs many seeds where that makes no sense.
func needsTime(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("many runs take their time")
	}
	if raceEnabled {
		t.Skip("the race detector's runtime crashes in large bubbles (golang/go issue 78156)")
	}
}

// errOtherStart: the process did not begin where it was to.
var errOtherStart = errors.New("the run began elsewhere")

// runSeed runs one seed in a process of its own: what is left of one run, and
// how far the runtime's random numbers are drawn, must not be in the next.
func runSeed(o order) (*Result, error) {
	err := errOtherStart
	for range 300 {
		res, failed := runOnce(o)
		switch {
		case failed != nil && o.Start != 0:
			err = failed // perhaps not where it was to begin: it did not come to say so
		case failed == nil && res.Start == 0: // it began elsewhere than it was to
		default:
			return res, failed
		}
	}
	return nil, err
}

func runOnce(o order) (*Result, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := exec.Command(exe, "-test.run=^TestChild$", "-test.timeout=30s")
	cmd.Env = []string{"PX_TWIN_CHILD=" + o.String(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}
	cmd.Stdout, cmd.Stderr = &out, &out
	if o.Log {
		cmd.Stderr = os.Stderr
	}
	start := time.Now()
	seeded, err := runSeeded(cmd, o.Seed)
	for line := range bytes.Lines(out.Bytes()) {
		if rest, ok := bytes.CutPrefix(line, []byte(resultMark)); ok {
			res := &Result{Seeded: seeded, Took: time.Since(start)}
			res.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return res, json.Unmarshal(rest, res)
		}
	}
	return nil, fmt.Errorf("seed %d: no result: %w\n%.20000s", o.Seed, err, out.Bytes())
}
