package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// TestExportOfARunningClusterAndImport carries rooms from a cluster that runs
// on SQLite to one on NATS that is started afterwards.
func TestExportOfARunningClusterAndImport(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for _, text := range []string{"one", "two", "three"} {
		if _, errs, code := px("send", "--router", router, "--room", "go", text); code != 0 {
			t.Fatal(errs)
		}
	}
	file := filepath.Join(t.TempDir(), "rooms.jsonl")
	_, errs, code := px("export", "--data", dir, file)
	if code != 0 || !strings.HasPrefix(errs, "exported ") || !strings.Contains(errs, " 3 records") {
		t.Fatalf("export ended with %d: %s", code, errs)
	}
	out, _, code := px("export", "--data", dir, "-")
	if b, err := os.ReadFile(file); code != 0 || err != nil || string(b) != out {
		t.Errorf("to standard output: %d, %v, %d bytes, and %d in the file", code, err, len(out), len(b))
	}
	if _, errs, code := px("export", "--data", dir, file); code != exitFailed || !strings.Contains(errs, "there already") {
		t.Errorf("over a file: %d, %s", code, errs)
	}
	if _, errs, code := px("import", "--data", dir, file); code != exitFailed || !strings.Contains(errs, "in use by") {
		t.Errorf("into the log of a running cluster: %d, %s", code, errs)
	}
	server := natstest.Start(t, natstest.Config{})
	_, imported, code := px("import", "--log", server.URL(), file)
	if code != 0 || strings.TrimPrefix(imported, "imported") != strings.TrimPrefix(errs, "exported") {
		t.Fatalf("import ended with %d: %s after %s", code, imported, errs)
	}
	a := newApart(t, server.URL())
	a.start("shard", "--name", "s1")
	other := a.router()
	if _, errs, code := px("send", "--router", other, "--room", "go", "four"); code != 0 {
		t.Fatal(errs)
	}
	out, errs, code = px("tail", "--router", other, "--room", "go", "--since", "0", "--count", "4", "--json")
	if code != 0 || strings.Count(out, "\n") != 4 || !strings.Contains(out, `"one"`) || !strings.Contains(out, `"seq":4,`) {
		t.Errorf("history: %s%s", out, errs)
	}
}

// TestExportOfNoRooms is no backup: the place was mistyped, or is another user's.
func TestExportOfNoRooms(t *testing.T) {
	dir := t.TempDir()
	typo, file := filepath.Join(dir, "typo"), filepath.Join(dir, "rooms.jsonl")
	server := natstest.Start(t, natstest.Config{})
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "cluster.json"), []byte(`{"identity":"x","schema":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no directory":           {[]string{"--data", typo}, typo + " holds no rooms"},
		"a directory":            {[]string{"--data", dir}, dir + " holds no rooms"},
		"a store without rooms":  {[]string{"--data", empty}, "no room was ever used here"},
		"no cluster of the name": {[]string{"--log", server.URL(), "--cluster", "typo"}, `no room log of a cluster "typo"`},
	} {
		for _, to := range []string{file, "-"} {
			out, errs, code := px(append(append([]string{"export"}, c.args...), to)...)
			if code != exitFailed || out != "" || !strings.Contains(errs, c.want) || strings.Contains(errs, "exported 0") {
				t.Errorf("%s: %d, %s%s", name, code, out, errs)
			}
		}
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("it made %v, %v", made, err)
	}
}

func TestTransferLine(t *testing.T) {
	for _, c := range []struct {
		done, of, lately uint64
		took             time.Duration
		want             string
	}{
		{0, 0, 0, 0, "░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 of 1"},
		{50, 200, 50, 5 * time.Second, "██████░░░░░░░░░░░░░░░░░░  25 %  50 of 200  10/s  15s left"},
		{200, 200, 100, 10 * time.Second, "████████████████████████ 100 %  200 of 200  10/s  0s left"},
		{300, 200, 100, 10 * time.Second, "████████████████████████ 100 %  300 of 300  10/s  0s left"},
	} {
		if got := transferLine(c.done, c.of, c.lately, c.took); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestProgressIsWrittenOverAndTakenAway(t *testing.T) {
	var b bytes.Buffer
	p := &progress{progressLine: progressLine{w: &b, on: true}}
	p.show(1, 2)
	p.show(2, 2) // too soon to be seen
	p.clear()
	if got := b.String(); strings.Count(got, "\r") != 2 || !strings.HasSuffix(got, "\r\x1b[K") || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
	b.Reset()
	p = &progress{progressLine: progressLine{w: &b}}
	p.show(1, 2)
	p.clear()
	if b.Len() > 0 {
		t.Errorf("where there is no terminal: %q", b.String())
	}
}

// TestImportOfNoFileMakesNothing: a directory with a new cluster in it would be
// in the way of the next try.
func TestImportOfNoFileMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if _, errs, code := px("import", filepath.Join(t.TempDir(), "none.jsonl"), "--data", dir); code != exitFailed || !strings.Contains(errs, "none.jsonl: no such file") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", dir, err)
	}
}
