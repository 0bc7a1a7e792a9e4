package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
	"positivity-exchange/shard/roomlog/memlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

func TestMain(m *testing.M) {
	natstest.Main()
	goleak.VerifyTestMain(m)
}

var options = Options{Partitions: membership.Partitions}

// fill writes about n records to rooms of several partitions, over take-overs
// and changes of topics; one room stays empty.
func fill(t testing.TB, log roomlog.Log, n, rooms int) {
	t.Helper()
	ctx, rng := t.Context(), rand.New(rand.NewPCG(3, 4))
	heads := map[string]uint64{}
	byPartition := map[int][]string{}
	for i := range rooms {
		name := fmt.Sprintf("room-%d", i)
		p := membership.Partition(name)
		byPartition[p] = append(byPartition[p], name)
	}
	var owner roomlog.Owner
	for p, names := range byPartition {
		owner = roomlog.Owner{}
		var batch []roomlog.Record
		flush := func() {
			if err := log.Append(ctx, p, owner.Epoch, batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
		share := n * len(names) / rooms
		for i := 0; i < share; {
			if i == 0 || rng.IntN(share/3+1) == 0 {
				if i > 0 {
					flush()
				}
				for range 1 + rng.IntN(2) { // an epoch without a record in between, now and then
					var err error
					if owner, err = log.Acquire(ctx, p, owner, roomlog.Owner{Name: "s1", Boot: "b1"}); err != nil {
						t.Fatal(err)
					}
				}
			}
			name := names[rng.IntN(len(names))]
			if _, made := heads[name]; !made {
				heads[name] = 0
				batch = append(batch, roomlog.Record{Room: name, Kind: roomlog.KindCreated, Content: "about " + name})
			}
			heads[name]++
			r := roomlog.Record{Room: name, Seq: heads[name], Kind: roomlog.KindMessage, User: "ada", ID: fmt.Sprint("i", i), Time: int64(1764021300000 + i), Content: strings.Repeat("<&>é\n", rng.IntN(20))}
			if rng.IntN(50) == 0 {
				r.Kind, r.Content = roomlog.KindTopic, fmt.Sprint("topic ", i)
			}
			batch = append(batch, r)
			if i++; len(batch) >= 100 {
				flush()
			}
		}
		if len(batch) > 0 {
			flush()
		}
		if err := log.Release(ctx, p, owner.Epoch, roomlog.Release{}); err != nil {
			t.Fatal(err)
		}
	}
}

func openSQLite(t testing.TB, dir string) roomlog.Log {
	t.Helper()
	l, err := sqlitelog.Open(dir, sqlitelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // a test's
	return l
}

func openJetStream(t testing.TB, url, cluster string) roomlog.Log {
	t.Helper()
	l, err := jetstreamlog.Open(jetstreamlog.Options{URL: url, Cluster: cluster, Partitions: membership.Partitions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // a test's
	return l
}

// carry exports from one log to a file and imports that into another.
func carry(t testing.TB, from, to roomlog.Log) (out, in Summary) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rooms.jsonl")
	out, err := ExportFile(t.Context(), from, path, options)
	if err != nil {
		t.Fatal(err)
	}
	return out, load(t, path, to)
}

func load(t testing.TB, path string, to roomlog.Log) Summary {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := Import(t.Context(), to, f, options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// setting is a number from the environment.
func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// shorter is n, or a part of it where the race detector makes all slow.
func shorter(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}

// TestSQLiteToJetStreamAndBack: three logs, one hash. PX_TRANSFER_RECORDS and
// PX_TRANSFER_ROOMS make it larger.
func TestSQLiteToJetStreamAndBack(t *testing.T) {
	records, rooms := setting("PX_TRANSFER_RECORDS", shorter(3000)), setting("PX_TRANSFER_ROOMS", 12)
	url := natstest.Start(t, natstest.Config{}).URL()
	first, middle, last := openSQLite(t, t.TempDir()), openJetStream(t, url, "px"), openSQLite(t, t.TempDir())
	fill(t, first, records, rooms)
	start := time.Now()
	out, in := carry(t, first, middle)
	t.Logf("SQLite to JetStream: %s, %s", out, time.Since(start))
	start = time.Now()
	back, again := carry(t, middle, last)
	t.Logf("JetStream to SQLite: %s, %s", back, time.Since(start))
	if out.Records < uint64(records*9/10) || out.Rooms != uint64(rooms) || out != in || out != back || out != again {
		t.Errorf("carried\n%s\n%s\n%s\n%s", out, in, back, again)
	}
	// A shard then goes on in each of them under a higher epoch than any seen.
	for _, log := range []roomlog.Log{middle, last} {
		p := membership.Partition("room-1")
		o, err := log.Owner(t.Context(), p)
		if err != nil || !o.Released {
			t.Fatalf("owner %+v, %v", o, err)
		}
		at, _, err := log.Head(t.Context(), p, "room-1")
		if err != nil || at.Epoch > o.Epoch || at.Epoch == 0 {
			t.Errorf("head %+v under %+v, %v", at, o, err)
		}
		if entries, err := log.Entries(t.Context()); err != nil || len(entries) != 0 {
			t.Errorf("the roll has %+v, %v", entries, err)
		}
	}
}

// cutShort is a reader that ends an import somewhere.
type cutShort struct {
	r    *bytes.Reader
	left int
}

var errCutShort = errors.New("cut short")

func (c *cutShort) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, errCutShort
	}
	n, err := c.r.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

// TestInterruptedTransfersGoOn interrupts an export and imports at many places.
func TestInterruptedTransfersGoOn(t *testing.T) {
	from := openSQLite(t, t.TempDir())
	fill(t, from, shorter(2000), 6)
	var whole bytes.Buffer
	want, err := Export(t.Context(), from, &whole, options)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rooms.jsonl")
	for i := range 5 { // each dies somewhat later, in the middle of a line
		part := whole.Bytes()[:whole.Len()*(2*i+1)/10]
		if err := os.WriteFile(path+".part", part, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(path) //nolint:errcheck // of the round before
		got, err := ExportFile(t.Context(), from, path, options)
		if err != nil || got != want {
			t.Fatalf("export, interrupted after %d bytes: %s, %v", len(part), got, err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, whole.Bytes()) {
			t.Fatalf("export, interrupted after %d bytes, is another file (%v)", len(part), err)
		}
	}
	to := openSQLite(t, t.TempDir())
	for n := 1; n < whole.Len(); n += whole.Len() / 15 {
		if _, err := Import(t.Context(), to, &cutShort{bytes.NewReader(whole.Bytes()), n}, options); !errors.Is(err, errCutShort) && !errors.Is(err, errShort) {
			t.Fatalf("import of the first %d bytes: %v", n, err)
		}
	}
	if got, err := Import(t.Context(), to, bytes.NewReader(whole.Bytes()), options); err != nil || got != want {
		t.Errorf("import in the end: %s, %v", got, err)
	}
	if got, err := Import(t.Context(), to, bytes.NewReader(whole.Bytes()), options); err != nil || got != want {
		t.Errorf("import once more: %s, %v", got, err)
	}
}

// TestAnswersLostByAnImport: appends and acquires that take effect without an answer.
func TestAnswersLostByAnImport(t *testing.T) {
	from := openSQLite(t, t.TempDir())
	fill(t, from, 500, 3)
	var whole bytes.Buffer
	want, err := Export(t.Context(), from, &whole, options)
	if err != nil {
		t.Fatal(err)
	}
	to := memlog.NewStore().Open()
	opts := options
	opts.Progress = func(uint64, uint64) { to.LoseAnswers(1) }
	to.LoseAnswers(1)
	if got, err := Import(t.Context(), to, bytes.NewReader(whole.Bytes()), opts); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestImportsThatAreRefused(t *testing.T) {
	from := openSQLite(t, t.TempDir())
	fill(t, from, 300, 3)
	var whole bytes.Buffer
	if _, err := Export(t.Context(), from, &whole, options); err != nil {
		t.Fatal(err)
	}
	text := whole.String()
	replace := func(old, new string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("the export has no %s", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	var h header
	if err := json.Unmarshal([]byte(text[:strings.Index(text, "\n")]), &h); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", "ends early"},
		"something else":      {"[]\n", "none of an export's"},
		"no header":           {text[strings.Index(text, "\n")+1:], "no export"},
		"a newer version":     {replace(`{"px_export":1`, `{"px_export":2`), "newer px"},
		"other constants":     {replace(`"partitions":271`, `"partitions":17`), "17 partitions"},
		"a path for a log":    {replace(h.Log, "../../x"), "no log is called"},
		"one word changed":    {replace(`"user":"ada"`, `"user":"eve"`), "damaged"},
		"a record left out":   {text[:strings.Index(text, `{"seq":2,`)] + text[strings.Index(text, `{"seq":3,`):], ""},
		"cut in the middle":   {text[:len(text)/2], "ends early"},
		"without its end":     {text[:strings.Index(text, `{"total"`)], "ends early"},
		"a record of no room": {text[:strings.Index(text, "\n")+1] + text[strings.Index(text, `{"seq":1,`):], "no line before"},
	} {
		if _, err := Import(t.Context(), openSQLite(t, t.TempDir()), strings.NewReader(c.text), options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// Into the log it came from, and into one that a living process uses.
	if _, err := Import(t.Context(), from, strings.NewReader(text), options); err == nil || !strings.Contains(err.Error(), "empty log") {
		t.Errorf("into a full log: %v", err)
	}
	used := openSQLite(t, t.TempDir())
	if err := used.Register(t.Context(), roomlog.Process{Name: "s1", Boot: "b1", Role: "shard", OS: roomlog.ThisProcess()}); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(t.Context(), used, strings.NewReader(text), options); err == nil || !strings.Contains(err.Error(), "shard s1") {
		t.Errorf("into a log in use: %v", err)
	}
}

func TestExportIsCancelled(t *testing.T) {
	from := openSQLite(t, t.TempDir())
	fill(t, from, 300, 3)
	ctx, cancel := context.WithCancel(t.Context())
	opts := options
	opts.Progress = func(done, of uint64) {
		if done == 50 {
			cancel()
		}
	}
	path := filepath.Join(t.TempDir(), "x")
	if _, err := ExportFile(ctx, from, path, opts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("half an export has the name of a whole one")
	}
}

// TestTwoExportsToOneFile: the second would go on with the first one's file, and
// cut off what the first is about to call whole.
func TestTwoExportsToOneFile(t *testing.T) {
	from := openSQLite(t, t.TempDir())
	fill(t, from, 300, 3)
	path := filepath.Join(t.TempDir(), "rooms.jsonl")
	opts := options
	var second error
	opts.Progress = func(done, of uint64) {
		if done == 150 {
			_, second = ExportFile(t.Context(), from, path, options)
		}
	}
	out, err := ExportFile(t.Context(), from, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	if second == nil || !strings.Contains(second.Error(), "another export writes "+path+".part") {
		t.Errorf("the second ended with %v", second)
	}
	if in := load(t, path, openSQLite(t, t.TempDir())); in != out {
		t.Errorf("carried %s, and then %s", out, in)
	}
}
