package jetstreamlog

import (
	"context"
	"errors"
	"os"
	"testing"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// setBack has the server lose what between stores, as a power cut does.
func setBack(t *testing.T, s *natstest.Server, between func()) {
	t.Helper()
	s.Stop()
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(s.Config.Dir)); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	between()
	s.Kill()
	s.Config.Dir = before
	s.Start(t)
}

// TestStreamThatLostItsEndUnderItsOwner: the owner is told, and goes on after it
// has acquired anew; who reads gets what is left.
func TestStreamThatLostItsEndUnderItsOwner(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Config{})
	l, ctx := held(t, s.URL()), t.Context()
	write := func(room string, seq uint64) error {
		return l.Append(ctx, 0, 1, []roomlog.Record{record(room, seq)})
	}
	for seq := range uint64(5) {
		if err := write("go", seq+1); err != nil {
			t.Fatal(err)
		}
	}
	setBack(t, s, func() {
		if err := l.Append(ctx, 0, 1, []roomlog.Record{{Room: "new", Kind: roomlog.KindCreated}}); err != nil {
			t.Fatal(err)
		}
		for seq := range uint64(5) {
			if err := write("go", seq+6); err != nil {
				t.Fatal(err)
			}
		}
	})
	var at roomlog.Position
	patiently(func() (err error) {
		at, _, err = l.Head(ctx, 0, "go")
		return err
	})
	if at.Seq != 5 {
		t.Errorf("the room's head is %+v", at)
	}
	if records, err := l.ReadBack(ctx, 0, "go", 11, 10, 1<<20); err != nil || len(records) != 5 {
		t.Errorf("%d records are left, %v", len(records), err)
	}
	// Until the owner acquires anew it is told of any of its rooms, of all as often
	// as it asks: whatever it knows may be gone.
	for range 2 {
		if err := write("go", 11); !errors.Is(err, roomlog.ErrLostEnd) || !errors.Is(err, roomlog.ErrRefused) {
			t.Errorf("an append behind what is gone: %v", err)
		}
		if err := write("new", 1); !errors.Is(err, roomlog.ErrLostEnd) {
			t.Errorf("an append to a room that is gone: %v", err)
		}
	}
	o, err := l.Owner(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(ctx, 0, o, roomlog.Owner{Name: "s1", Boot: "b1"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 0, 2, []roomlog.Record{record("go", 11)}); !errors.Is(err, roomlog.ErrLostEnd) {
		t.Errorf("a number that does not follow: %v", err)
	}
	if err := l.Append(ctx, 0, 2, []roomlog.Record{record("go", 6)}); err != nil {
		t.Error(err)
	}
}

// TestReadersWaitForNothingThatIsGone: a process that only read, or whose owner
// says nothing, must not wait for ever for a replica with what it once wrote.
func TestReadersWaitForNothingThatIsGone(t *testing.T) {
	t.Parallel()
	l, ctx := held(t, natstest.Start(t, natstest.Config{}).URL()), t.Context()
	l.parts[0].seen.Store(1000)
	short, cancel := context.WithTimeout(ctx, caughtUpIn/4)
	defer cancel()
	if at, _, err := l.Head(short, 0, "go"); err == nil {
		t.Errorf("%+v was believed at once", at)
	}
	patiently(func() error {
		_, _, err := l.Head(ctx, 0, "go")
		return err
	})
	if records, err := l.Read(ctx, 0, "go", 1, 10, 1<<20); err != nil || len(records) != 0 {
		t.Errorf("%+v, %v", records, err)
	}
}
