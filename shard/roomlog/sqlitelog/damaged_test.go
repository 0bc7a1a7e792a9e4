package sqlitelog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"positivity-exchange/shard/roomlog"
)

// TestDamagedFilesHarmOnlyThemselves: a file that is not what it should be is an
// error of its partition, or an entry of nobody; an empty one, as a power cut may
// leave it, is a partition that was never used.
func TestDamagedFilesHarmOnlyThemselves(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if err := l.Register(t.Context(), roomlog.Process{Name: "s1", Boot: "1"}); err != nil {
		t.Fatal(err)
	}
	garbage := bytes.Repeat([]byte("garbage "), 1024)
	for name, content := range map[string][]byte{
		"partitions/005.db":  garbage,
		"partitions/006.db":  nil,
		"roll/empty.json":    nil,
		"roll/broken.json":   []byte(`{"boot":"brok`),
		"roll/foreign.json":  []byte(`{"name":"s1","boot":"another"}`),
		"roll/zeros.json":    make([]byte, 100),
		"roll/half.json.tmp": []byte(`{`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := l.Entries(t.Context()); err != nil || len(entries) != 1 || entries[0].Boot != "1" {
		t.Errorf("the roll: %+v, %v", entries, err)
	}
	if _, err := l.Beat(t.Context(), "1", nil); err != nil {
		t.Errorf("a heartbeat: %v", err)
	}
	if _, err := l.Acquire(t.Context(), 5, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "1"}); !errors.Is(err, roomlog.ErrRefused) {
		t.Errorf("a partition of garbage: %v", err)
	}
	if _, err := l.Rooms(t.Context(), 5, "", 10); !errors.Is(err, roomlog.ErrDamaged) {
		t.Errorf("the rooms of a partition of garbage: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "partitions", "005.db")); err != nil || !bytes.Equal(b, garbage) {
		t.Errorf("what could not be read was written over, %v", err)
	}
	for _, partition := range []int{6, 7} {
		own, err := l.Acquire(t.Context(), partition, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "1"})
		if err != nil || own.Epoch != 1 {
			t.Errorf("partition %d: %+v, %v", partition, own, err)
		}
		if err := l.Append(t.Context(), partition, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated}, {Room: "go", Seq: 1, Kind: roomlog.KindMessage}}); err != nil {
			t.Errorf("partition %d: %v", partition, err)
		}
	}
}
