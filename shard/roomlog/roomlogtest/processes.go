package roomlogtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog"
)

// What a started writer is told beside the spec.
const (
	partitionEnv = "ROOMLOGTEST_PARTITION"
	batchEnv     = "ROOMLOGTEST_BATCH"
	paceEnv      = "ROOMLOGTEST_PACE"
	failpointEnv = "PX_FAILPOINTS"
)

// write is the process to be deposed: it takes its partition and appends as
// fast as it can until fenced, printing the last sequence of each acknowledged
// batch, with a heartbeat now and then.
func write(impl Implementation, spec string) error {
	partition, err := strconv.Atoi(os.Getenv(partitionEnv))
	if err != nil {
		return err
	}
	batch, err := strconv.Atoi(os.Getenv(batchEnv))
	if err != nil {
		return err
	}
	// A bystander leaves the processors to the others.
	pace := time.Nanosecond
	if text := os.Getenv(paceEnv); text != "" {
		if pace, err = time.ParseDuration(text); err != nil {
			return err
		}
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	l, err := impl.Open(spec)
	if err != nil {
		return err
	}
	ctx := context.Background()
	boot := strconv.Itoa(os.Getpid())
	if err := l.Register(ctx, roomlog.Process{Name: "writer-" + boot, Boot: boot, OS: roomlog.ThisProcess(), Alone: true}); err != nil {
		return err
	}
	from, err := l.Owner(ctx, partition)
	if err != nil {
		return err
	}
	own, err := l.Acquire(ctx, partition, from, roomlog.Owner{Name: "writer-" + boot, Boot: boot})
	if errors.Is(err, roomlog.ErrConflict) { // stopped inside it, and overtaken
		fmt.Println("fenced")
		return errors.Join(l.Strike(ctx, boot), l.Close())
	}
	if err != nil {
		return err
	}
	head, _, err := l.Head(ctx, partition, "go")
	if err != nil {
		return err
	}
	for seq, n := head.Seq, 0; ; n++ {
		if pace > time.Nanosecond {
			<-tick.C
		}
		records := make([]roomlog.Record, batch)
		for i := range records {
			records[i] = message("go", seq+uint64(i)+1, boot)
		}
		err := l.Append(ctx, partition, own.Epoch, records)
		if errors.Is(err, roomlog.ErrFenced) {
			fmt.Println("fenced")
			return errors.Join(l.Strike(ctx, boot), l.Close())
		}
		if errors.Is(err, roomlog.ErrUnknown) {
			fmt.Println("unknown")
			// As owners do: acquire again, and read the head
			from, ownerErr := l.Owner(ctx, partition)
			if ownerErr == nil && from.Boot != boot {
				fmt.Println("fenced")
				return errors.Join(l.Strike(ctx, boot), l.Close())
			}
			if own, err = l.Acquire(ctx, partition, from, roomlog.Owner{Name: "writer-" + boot, Boot: boot}); err == nil {
				head, _, err = l.Head(ctx, partition, "go")
				seq = head.Seq
			}
			if err := errors.Join(ownerErr, err); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		seq += uint64(batch)
		fmt.Println("acked", seq)
		if n%20 == 10 {
			if _, err := l.Beat(ctx, boot, nil); err != nil {
				return err
			}
		}
	}
}

// writer is a started process, as its driver sees it.
type writer struct {
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	boot   string
	batch  uint64
	acked  map[uint64]string // shared by all writers of a partition: last sequence of a batch -> boot
	fenced bool
	// unknown is how many appends had no known outcome.
	unknown int
}

func startWriter(t *testing.T, binary, spec string, partition, batch int, failpoint string, acked map[uint64]string, more ...string) *writer {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), writerEnv+"="+spec, partitionEnv+"="+strconv.Itoa(partition), batchEnv+"="+strconv.Itoa(batch), failpointEnv+"="+failpoint)
	cmd.Env = append(cmd.Env, more...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &writer{cmd: cmd, lines: bufio.NewScanner(out), boot: strconv.Itoa(cmd.Process.Pid), batch: uint64(batch), acked: acked}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill() //nolint:errcheck // it may have ended
			cmd.Wait()         //nolint:errcheck // killed
		}
	})
	return w
}

// read takes what the writer printed, until it has said n lines or has ended.
func (w *writer) read(t *testing.T, n int) {
	t.Helper()
	for ; n > 0 && w.lines.Scan(); n-- {
		word, rest, _ := strings.Cut(w.lines.Text(), " ")
		switch word {
		case "acked":
			seq, err := strconv.ParseUint(rest, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			for i := range w.batch {
				w.acked[seq-i] = w.boot
			}
		case "fenced":
			w.fenced = true
		case "unknown":
			w.unknown++
		default:
			t.Fatalf("the writer says %q", w.lines.Text())
		}
	}
}

func (w *writer) signal(s syscall.Signal) { w.cmd.Process.Signal(s) } //nolint:errcheck // it may have ended

// awaitStop waits until the process has stopped or killed itself.
func (w *writer) awaitStop(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if state, _, err := roomlog.ProcessStat(w.cmd.Process.Pid); err != nil || state == 'T' || state == 'Z' {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the failpoint was not reached")
		}
	}
}

// takeOver makes this process the holder, ending by force whoever is stopped
// inside a transaction; forced tells whether that was needed.
func takeOver(t *testing.T, l roomlog.Log, partition int, victim *writer) (own roomlog.Owner, forced bool) {
	t.Helper()
	ctx := t.Context()
	for deadline := time.Now().Add(20 * time.Second); ; {
		from, err := l.Owner(ctx, partition)
		if err == nil {
			own, err = l.Acquire(ctx, partition, from, roomlog.Owner{Name: "successor", Boot: "successor"})
		}
		if err == nil {
			return own, forced
		}
		var blocked *roomlog.BlockedError
		if errors.As(err, &blocked) && blocked.OS.PID != 0 { // 0: not known this time
			if blocked.OS.PID != victim.cmd.Process.Pid {
				t.Fatalf("the process named as being in the way is %d, not %d", blocked.OS.PID, victim.cmd.Process.Pid)
			}
			if err := l.(roomlog.Forcer).End(ctx, blocked); err != nil {
				t.Fatal(err)
			}
			forced = true
		}
		if time.Now().After(deadline) {
			t.Fatalf("take-over: %v", err)
		}
	}
}

// withFailpoints builds the test binary of the package under test once more,
// with its failpoints.
func withFailpoints(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "writer")
	if out, err := exec.Command("go", "test", "-c", "-tags", "failpoint", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build a writer with failpoints: %v\n%s", err, out)
	}
	return binary
}

// takeOvers deposes real processes and holds the log to its word: nothing
// acknowledged is missing, nothing of the deposed enters after its successor's
// first append, those who live learn that they are deposed, and who is ended by
// force is the one in the way.
func takeOvers(t *testing.T, impl Implementation) {
	share := max(1, impl.Share)
	if testing.Short() {
		share *= 10
	}
	least, after := 2, uint64(100) // take-overs of each kind, appends after each
	if share >= 20 {
		least, after = 1, 20
	}
	failing := withFailpoints(t)
	spec := impl.Fresh(t)
	l, ctx := open(t, impl, spec), t.Context()
	const partition, other = 0, 1
	for _, p := range []int{partition, other} {
		own, err := l.Acquire(ctx, p, roomlog.Owner{}, roomlog.Owner{Name: "first", Boot: "first"})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(ctx, p, own.Epoch, []roomlog.Record{creation("go", "")}); err != nil {
			t.Fatal(err)
		}
	}
	// A bystander appends elsewhere all the while; nobody may harm it.
	bystander := startWriter(t, os.Args[0], spec, other, 1, "", map[uint64]string{}, paceEnv+"=2ms")
	bystanderRead := make(chan struct{})
	go func() { defer close(bystanderRead); bystander.read(t, 1<<40) }()

	rng := rand.New(rand.NewPCG(1, 2))
	acked := map[uint64]string{}
	last := map[string]uint64{} // successors' first sequence after each writer
	type mode struct {
		name, failpoint, binary string
		count                   int
		then                    syscall.Signal // sent when it has run for a while; 0: nothing
		mustForce               bool
	}
	modes := []mode{
		{name: "appending", binary: os.Args[0], count: 100},
		{name: "stopped", binary: os.Args[0], count: 30, then: syscall.SIGSTOP},
		{name: "killed", binary: os.Args[0], count: 30, then: syscall.SIGKILL},
		{name: "stopped inside an append", binary: failing, failpoint: "roomlog.append.inTx=stop*", count: 10, mustForce: true},
		{name: "stopped inside its acquire", binary: failing, failpoint: "roomlog.acquire.inTx=stop", count: 10, mustForce: true},
		{name: "stopped before an append", binary: failing, failpoint: "roomlog.append.beforeBegin=stop*", count: 10},
		{name: "killed between commit and acknowledgement", binary: failing, failpoint: "roomlog.append.afterCommit=kill*", count: 10},
		{name: "stopped inside a heartbeat", binary: failing, failpoint: "roomlog.beat.inWrite=stop*2", count: 10},
	}
	var all struct{ takeOvers, refused, forced, unknown int }
	for _, m := range modes {
		m.mustForce = m.mustForce && impl.Locks
		refused, forced := 0, 0
		var took []time.Duration
		count := max(least, m.count/share)
		for range count {
			failpoint := m.failpoint
			if strings.HasSuffix(failpoint, "*") {
				failpoint += strconv.Itoa(1 + rng.IntN(40))
			}
			w := startWriter(t, m.binary, spec, partition, 1+rng.IntN(64), failpoint, acked)
			switch {
			case m.failpoint != "":
				w.awaitStop(t)
			default:
				w.read(t, 1+rng.IntN(50))
				w.signal(m.then)
			}
			start := time.Now()
			own, force := takeOver(t, l, partition, w)
			took = append(took, time.Since(start))
			head, _, err := l.Head(ctx, partition, "go")
			if err != nil {
				t.Fatal(err)
			}
			for i := uint64(1); i <= after; i++ {
				if err := l.Append(ctx, partition, own.Epoch, []roomlog.Record{message("go", head.Seq+i, "successor")}); err != nil {
					t.Fatal(err)
				}
			}
			last[w.boot] = head.Seq
			w.signal(syscall.SIGCONT)
			w.read(t, 1<<40)
			w.cmd.Wait() //nolint:errcheck // its fate is looked at below
			all.unknown += w.unknown
			status := w.cmd.ProcessState.Sys().(syscall.WaitStatus)
			killed := status.Signaled() && status.Signal() == syscall.SIGKILL
			wanted := strings.Contains(m.failpoint, "kill") || m.then == syscall.SIGKILL
			switch {
			case force:
				forced++
				if !killed {
					t.Errorf("%s: the process in the way was ended by force and lives", m.name)
				}
			case killed && !wanted:
				t.Errorf("%s: somebody ended a process that was not in the way", m.name)
			case w.fenced:
				refused++
			case !wanted:
				t.Errorf("%s: a deposed owner that lives did not learn that it is", m.name)
			}
		}
		mayForce := impl.Locks && !strings.Contains(m.name, "heartbeat")
		inside := strings.Contains(m.name, "inside") && !impl.Locks // then it wakes up and must be refused
		if m.mustForce && forced != count || forced != 0 && !mayForce || (inside || strings.Contains(m.name, "before")) && refused != count {
			t.Errorf("%s: %d take-overs, %d ended by force, %d appends refused", m.name, count, forced, refused)
		}
		all.takeOvers, all.refused, all.forced = all.takeOvers+count, all.refused+refused, all.forced+forced
		slices.Sort(took)
		t.Logf("%s: %d take-overs (p50 %s, max %s), %d ended by force, %d deposed owners refused", m.name, count, took[len(took)/2].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond), forced, refused)
	}
	if status := bystander.cmd.ProcessState; status != nil {
		t.Errorf("the bystander has ended: %v", status)
	}
	takeOver(t, l, other, bystander)
	<-bystanderRead
	if bystander.cmd.Wait() != nil || !bystander.fenced {
		t.Errorf("the bystander ended with %v", bystander.cmd.ProcessState)
	}
	lost, doubled := checkHistory(t, l, partition, acked, last)
	t.Logf("in all: %d take-overs, %d appends of deposed owners refused, %d processes ended by force, %d outcomes of appends unknown, %d acknowledged records lost, %d doubled",
		all.takeOvers, all.refused, all.forced, all.unknown, lost, doubled)
}

// checkHistory holds the records to what was acknowledged.
func checkHistory(t *testing.T, l roomlog.Log, partition int, acked map[uint64]string, last map[string]uint64) (lost, doubled int) {
	t.Helper()
	seen := map[string]bool{} // ids: a record's is given with its sequence
	var next, epoch uint64 = 1, 0
	for {
		records, err := l.Read(t.Context(), partition, "go", next, 10_000, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			if r.Seq != next || r.Epoch < epoch {
				t.Fatalf("sequence %d of epoch %d follows %d of epoch %d", r.Seq, r.Epoch, next-1, epoch)
			}
			if boot, ok := acked[r.Seq]; ok && boot != r.Content {
				t.Errorf("sequence %d was acknowledged to %s and is %s's", r.Seq, boot, r.Content)
				lost++
			}
			if seen[r.ID] {
				t.Errorf("sequence %d: %s is there twice", r.Seq, r.ID)
				doubled++
			}
			seen[r.ID] = true
			if end, ok := last[r.Content]; ok && r.Seq > end {
				t.Errorf("sequence %d of the deposed %s stands after its successor's first, %d", r.Seq, r.Content, end+1)
			}
			delete(acked, r.Seq)
			next, epoch = r.Seq+1, r.Epoch
		}
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged records are missing", len(acked))
	}
	lost += len(acked)
	t.Logf("%d records", next-1)
	return lost, doubled
}
