package sqlitelog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/shard/roomlog"
)

// TestMain runs a writer instead of the tests when a test asks for one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SQLITELOG_WRITER"); dir != "" {
		write(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// write acquires partition 0 and appends until fenced, printing each
// acknowledged sequence.
func write(dir string) {
	l, err := Open(dir, Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	ctx := context.Background()
	from, err := l.Owner(ctx, 0)
	if err == nil {
		from, err = l.Acquire(ctx, 0, from, roomlog.Owner{Name: "writer", Boot: strconv.Itoa(os.Getpid())})
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	head, _, err := l.Head(ctx, 0, "go")
	for seq := head.Seq + 1; err == nil; seq++ {
		err = l.Append(ctx, 0, from.Epoch, []roomlog.Record{{Room: "go", Seq: seq, Kind: roomlog.KindMessage, User: "w", ID: strconv.FormatUint(seq, 10), Content: from.Boot}})
		if err == nil {
			fmt.Println("acked", seq)
		}
	}
	if errors.Is(err, roomlog.ErrFenced) {
		fmt.Println("fenced")
		return
	}
	fmt.Println("error", err)
}

func open(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func message(room string, seq uint64) roomlog.Record {
	return roomlog.Record{Room: room, Seq: seq, Kind: roomlog.KindMessage, User: "ada", ID: fmt.Sprint(seq), Time: 1, Content: fmt.Sprintf("message %d", seq)}
}

func TestAppendReadAndList(t *testing.T) {
	l, ctx := open(t, t.TempDir()), t.Context()
	if o, err := l.Owner(ctx, 3); err != nil || o.Epoch != 0 {
		t.Fatalf("an unused partition: %+v, %v", o, err)
	}
	if _, err := os.Stat(l.dir + "/partitions/003.db"); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading made a file")
	}
	own, err := l.Acquire(ctx, 3, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1", Addr: "h:1"})
	if err != nil || own.Epoch != 1 {
		t.Fatalf("acquire: %+v, %v", own, err)
	}
	batch := []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated, Content: "gophers"}, message("go", 1), message("go", 2)}
	if err := l.Append(ctx, 3, 1, batch); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 3, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); !errors.Is(err, roomlog.ErrRoomExists) {
		t.Errorf("second creation: %v", err)
	}
	if err := l.Append(ctx, 3, 1, []roomlog.Record{message("go", 3), message("go", 2)}); !errors.Is(err, roomlog.ErrRefused) {
		t.Errorf("a used sequence: %v", err)
	}
	if err := l.Append(ctx, 3, 1, []roomlog.Record{message("nowhere", 1)}); !errors.Is(err, roomlog.ErrNoRoom) {
		t.Errorf("no room: %v", err)
	}
	if err := l.Append(ctx, 3, 1, []roomlog.Record{message("go", 3), {Room: "go", Seq: 4, Kind: roomlog.KindTopic, Content: "new"}}); err != nil {
		t.Fatal(err)
	}
	at, info, err := l.Head(ctx, 3, "go")
	if err != nil || at != (roomlog.Position{Seq: 4, Epoch: 1}) || info.Description != "new" {
		t.Errorf("head %+v %+v, %v", at, info, err)
	}
	seqs := func(records []roomlog.Record, err error) string {
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, r := range records {
			fmt.Fprint(&b, r.Seq, " ")
		}
		return b.String()
	}
	for _, c := range []struct{ got, want string }{
		{seqs(l.Read(ctx, 3, "go", 0, 10, 1<<20)), "1 2 3 4 "},
		{seqs(l.Read(ctx, 3, "go", 2, 2, 1<<20)), "2 3 "},
		{seqs(l.Read(ctx, 3, "go", 2, 2, 1)), "2 "},
		{seqs(l.Read(ctx, 3, "go", 99, 2, 1)), ""},
		{seqs(l.ReadBack(ctx, 3, "go", 4, 2, 1<<20)), "2 3 "},
		{seqs(l.ReadBack(ctx, 3, "go", 1<<60, 2, 1<<20)), "3 4 "},
		{seqs(l.ReadBack(ctx, 3, "go", 1, 2, 1<<20)), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if rooms, err := l.Rooms(ctx, 3, "", 10); err != nil || len(rooms) != 1 || rooms[0].Name != "go" {
		t.Errorf("rooms %+v, %v", rooms, err)
	}
}

func TestOneWriterByCompareAndSet(t *testing.T) {
	l, ctx := open(t, t.TempDir()), t.Context()
	a, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Name: "s2", Boot: "b2"}); !errors.Is(err, roomlog.ErrConflict) {
		t.Errorf("second acquire: %v", err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); err != nil {
		t.Fatal(err)
	}
	b, err := l.Acquire(ctx, 0, a, roomlog.Owner{Name: "s2", Boot: "b2"})
	if err != nil || b.Epoch != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{message("go", 1)}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("the deposed owner's append: %v", err)
	}
	if err := l.Release(ctx, 0, 1, roomlog.Release{}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("the deposed owner's release: %v", err)
	}
	if err := l.Release(ctx, 0, 2, roomlog.Release{NextName: "s3", Handover: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 0, 2, []roomlog.Record{message("go", 1)}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("an append after the release: %v", err)
	}
	if o, err := l.Owner(ctx, 0); err != nil || !o.Released || o.NextName != "s3" || string(o.Handover) != "x" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestRoll(t *testing.T) {
	l, ctx := open(t, t.TempDir()), t.Context()
	for _, boot := range []string{"1-old", "2-new"} {
		if err := l.Register(ctx, roomlog.Process{Name: "s1", Boot: boot, OS: roomlog.ThisProcess()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Beat(ctx, "1-old", nil); !errors.Is(err, roomlog.ErrNameTaken) {
		t.Errorf("the older boot's heartbeat: %v", err)
	}
	if err := l.Beat(ctx, "2-new", []int{5}); err != nil {
		t.Error(err)
	}
	if err := l.Strike(ctx, "1-old"); err != nil {
		t.Error(err)
	}
	entries, err := l.Entries(ctx)
	if err != nil || len(entries) != 1 || entries[0].Beat != 2 || entries[0].Wants[0] != 5 {
		t.Errorf("%+v, %v", entries, err)
	}
	if known, gone := roomlog.ProcessGone(entries[0].OS); known && gone {
		t.Error("this very process counts as gone")
	}
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if err := os.WriteFile(dir+"/cluster.json", []byte(`{"identity":"x","schema":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer schema: %v", err)
	}
	file := dir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// TestTakeOversBetweenProcesses deposes a writer that appends as fast as it
// can, one that is stopped, one that is killed, and checks that nothing
// acknowledged is missing and nothing of the deposed follows the successor.
func TestTakeOversBetweenProcesses(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	l, ctx := open(t, dir), t.Context()
	own, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Name: "me", Boot: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 0, own.Epoch, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); err != nil {
		t.Fatal(err)
	}
	acked := map[uint64]string{}
	forced := 0
	for round := range 3 * rounds {
		mode := round % 3
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SQLITELOG_WRITER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		boot := strconv.Itoa(cmd.Process.Pid)
		lines := bufio.NewScanner(out)
		fenced := false
		read := func(until int) {
			for n := 0; n < until && lines.Scan(); n++ {
				word, rest, _ := strings.Cut(lines.Text(), " ")
				switch word {
				case "acked":
					seq, _ := strconv.ParseUint(rest, 10, 64)
					acked[seq] = boot
				case "fenced":
					fenced = true
				default:
					t.Fatalf("writer: %s", lines.Text())
				}
			}
		}
		read(20 + round*7%50)
		switch mode {
		case 1:
			cmd.Process.Signal(syscall.SIGSTOP) //nolint:errcheck // seen below
		case 2:
			cmd.Process.Kill() //nolint:errcheck // seen below
		}
		var mine roomlog.Owner
		for deadline := time.Now().Add(10 * time.Second); ; {
			from, err := l.Owner(ctx, 0)
			if err == nil {
				mine, err = l.Acquire(ctx, 0, from, roomlog.Owner{Name: "me", Boot: "me"})
			}
			if err == nil {
				break
			}
			var blocked *roomlog.BlockedError
			if errors.As(err, &blocked) {
				if blocked.OS.PID != cmd.Process.Pid {
					t.Fatalf("the lock's holder is %d, not %d", blocked.OS.PID, cmd.Process.Pid)
				}
				if err := l.End(ctx, blocked); err != nil {
					t.Fatal(err)
				}
				forced++
			}
			if time.Now().After(deadline) {
				t.Fatalf("take-over: %v", err)
			}
		}
		head, _, err := l.Head(ctx, 0, "go")
		if err != nil {
			t.Fatal(err)
		}
		for i := uint64(1); i <= 100; i++ {
			r := message("go", head.Seq+i)
			r.Content = "me"
			if err := l.Append(ctx, 0, mine.Epoch, []roomlog.Record{r}); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Process.Signal(syscall.SIGCONT) //nolint:errcheck // it may be gone
		read(1 << 30)
		cmd.Wait() //nolint:errcheck // killed or ended
		if mode == 0 && !fenced {
			t.Error("a deposed owner that lives did not learn that it is")
		}
	}
	records, err := l.Read(ctx, 0, "go", 1, 1<<30, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var epoch uint64
	for i, r := range records {
		if r.Seq != uint64(i+1) || r.Epoch < epoch {
			t.Fatalf("record %d has sequence %d and epoch %d after epoch %d", i+1, r.Seq, r.Epoch, epoch)
		}
		epoch = r.Epoch
		if boot, ok := acked[r.Seq]; ok && boot != r.Content {
			t.Errorf("sequence %d was acknowledged by %s and is %s's", r.Seq, boot, r.Content)
		}
		delete(acked, r.Seq)
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged records are missing", len(acked))
	}
	t.Logf("%d take-overs, %d records, %d processes ended by force", 3*rounds, len(records), forced)
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			l, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			if _, err := l.Acquire(b.Context(), 0, roomlog.Owner{}, roomlog.Owner{Boot: "b"}); err != nil {
				b.Fatal(err)
			}
			if err := l.Append(b.Context(), 0, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}}); err != nil {
				b.Fatal(err)
			}
			var seq uint64
			batch := make([]roomlog.Record, size)
			for b.Loop() {
				for i := range batch {
					seq++
					batch[i] = message("go", seq)
				}
				if err := l.Append(b.Context(), 0, 1, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(seq), "us/record")
		})
	}
}
