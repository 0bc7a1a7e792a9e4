package disk

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

// TestRoomLogOnAFullDisk: an append that finds no room is refused, for certain,
// at once; nothing of it is in; and once there is room the next one goes in.
// It fails in the middle of a commit as often as before one.
func TestRoomLogOnAFullDisk(t *testing.T) {
	for _, sync := range []string{"normal", "full"} {
		t.Run(sync, func(t *testing.T) { fullDisk(t, sync) })
	}
}

func fullDisk(t *testing.T, sync string) {
	d, dir := mount(t, 16<<20, Memory)
	log, err := sqlitelog.Open(dir, sqlitelog.Options{Sync: sync})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	own, err := log.Acquire(ctx, 1, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(ctx, 1, own.Epoch, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated, Epoch: own.Epoch, User: "ada"}}); err != nil {
		t.Fatal(err)
	}
	next := uint64(1)
	add := func() error {
		records := make([]roomlog.Record, 20)
		for i := range records {
			seq := next + uint64(i)
			records[i] = roomlog.Record{Room: "go", Kind: roomlog.KindMessage, Seq: seq, Epoch: own.Epoch, User: "ada", ID: fmt.Sprint(seq), Content: strings.Repeat("x", 300+int(seq%50))}
		}
		err := log.Append(ctx, 1, own.Epoch, records)
		if err == nil {
			next += uint64(len(records))
		}
		return err
	}
	refused := 0
	for range 20 {
		if err := d.Fill(); err != nil {
			t.Fatal(err)
		}
		for start := time.Now(); ; {
			err := add()
			if err == nil {
				if time.Since(start) > 10*time.Second {
					t.Fatal("a full disk takes all")
				}
				continue
			}
			refused++
			if !errors.Is(err, roomlog.ErrRefused) || errors.Is(err, roomlog.ErrUnknown) {
				t.Errorf("an append on a full disk: %v; want it refused for certain", err)
			}
			break
		}
		if err := d.Free(); err != nil {
			t.Fatal(err)
		}
		if err := add(); err != nil {
			t.Fatalf("after the disk was freed: %v", err)
		}
	}
	for seq := uint64(1); seq < next; {
		page, err := log.Read(ctx, 1, "go", seq, 1000, 1<<20)
		if err != nil || len(page) == 0 {
			t.Fatalf("read from %d: %d records, %v", seq, len(page), err)
		}
		for _, r := range page {
			if r.Seq != seq || r.ID != fmt.Sprint(seq) {
				t.Fatalf("record %d is %d of id %s", seq, r.Seq, r.ID)
			}
			seq++
		}
	}
	if at, _, err := log.Head(ctx, 1, "go"); err != nil || at.Seq != next-1 {
		t.Errorf("the head is %d, %v; want %d", at.Seq, err, next-1)
	}
	t.Logf("%d records, %d appends refused", next-1, refused)
}
