package roomlogtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"positivity-exchange/shard/roomlog"
)

// sequences writes the sequences of records as "1 2 3", or the error.
func sequences(records []roomlog.Record, err error) string {
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, r := range records {
		words = append(words, fmt.Sprint(r.Seq))
	}
	return strings.Join(words, " ")
}

func appendReadAndList(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	if o, err := l.Owner(ctx, 3); err != nil || o.Epoch != 0 || o.Boot != "" {
		t.Fatalf("an unused partition: %+v, %v", o, err)
	}
	if rooms, err := l.Rooms(ctx, 3, "", 10); err != nil || len(rooms) != 0 {
		t.Errorf("rooms of an unused partition: %v, %v", rooms, err)
	}
	if _, _, err := l.Head(ctx, 3, "go"); !errors.Is(err, roomlog.ErrNoRoom) {
		t.Errorf("head in an unused partition: %v", err)
	}
	own, err := l.Acquire(ctx, 3, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1", Addr: "h:1"})
	if err != nil || own.Epoch != 1 || own.Released || own.Addr != "h:1" {
		t.Fatalf("acquire: %+v, %v", own, err)
	}
	if _, err := l.Read(ctx, 3, "go", 1, 10, 1<<20); !errors.Is(err, roomlog.ErrNoRoom) {
		t.Errorf("read of no room: %v", err)
	}
	batch := []roomlog.Record{creation("go", "gophers"), message("go", 1, "a"), message("go", 2, "b")}
	if err := l.Append(ctx, 3, 1, batch); err != nil {
		t.Fatal(err)
	}
	if at, info, err := l.Head(ctx, 3, "go"); err != nil || at != (roomlog.Position{Seq: 2, Epoch: 1}) || info.Description != "gophers" {
		t.Errorf("head %+v %+v, %v", at, info, err)
	}
	topic := roomlog.Record{Room: "go", Seq: 4, Kind: roomlog.KindTopic, User: "bob", ID: "t", Content: "new"}
	if err := l.Append(ctx, 3, 1, []roomlog.Record{message("go", 3, "c"), topic}); err != nil {
		t.Fatal(err)
	}
	if at, info, err := l.Head(ctx, 3, "go"); err != nil || at.Seq != 4 || info.Description != "new" {
		t.Errorf("head %+v %+v, %v", at, info, err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"all", sequences(l.Read(ctx, 3, "go", 0, 10, 1<<20)), "1 2 3 4"},
		{"a range", sequences(l.Read(ctx, 3, "go", 2, 2, 1<<20)), "2 3"},
		{"few bytes", sequences(l.Read(ctx, 3, "go", 2, 2, 1)), "2"},
		{"beyond the head", sequences(l.Read(ctx, 3, "go", 99, 2, 1)), ""},
		{"far beyond it", sequences(l.Read(ctx, 3, "go", 1<<63, 2, 1)), ""},
		{"back", sequences(l.ReadBack(ctx, 3, "go", 4, 2, 1<<20)), "2 3"},
		{"back from far", sequences(l.ReadBack(ctx, 3, "go", 1<<63, 2, 1<<20)), "3 4"},
		{"back, few bytes", sequences(l.ReadBack(ctx, 3, "go", 4, 9, 1)), "3"},
		{"back from the first", sequences(l.ReadBack(ctx, 3, "go", 1, 2, 1<<20)), ""},
		{"back from nothing", sequences(l.ReadBack(ctx, 3, "go", 0, 2, 1<<20)), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
	got, err := l.Read(ctx, 3, "go", 1, 1, 1)
	want := message("go", 1, "a")
	want.Epoch = 1
	if err != nil || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func oneWriter(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	a, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Name: "s2", Boot: "b2"}); !errors.Is(err, roomlog.ErrConflict) {
		t.Errorf("an acquire from what it was before: %v", err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{creation("go", "")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 0, 2, []roomlog.Record{message("go", 1, "x")}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("an append under an epoch to come: %v", err)
	}
	b, err := l.Acquire(ctx, 0, a, roomlog.Owner{Name: "s2", Boot: "b2"})
	if err != nil || b.Epoch != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{message("go", 1, "x")}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("the deposed owner's append: %v", err)
	}
	if err := l.Release(ctx, 0, 1, roomlog.Release{}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("the deposed owner's release: %v", err)
	}
	if _, err := l.Acquire(ctx, 0, a, roomlog.Owner{Name: "s1", Boot: "b1"}); !errors.Is(err, roomlog.ErrConflict) {
		t.Errorf("the deposed owner's acquire: %v", err)
	}
	if err := l.Release(ctx, 0, 2, roomlog.Release{NextName: "s3", NextAddr: "h:3", Handover: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 0, 2, []roomlog.Record{message("go", 1, "x")}); !errors.Is(err, roomlog.ErrFenced) {
		t.Errorf("an append after the release: %v", err)
	}
	released, err := l.Owner(ctx, 0)
	if err != nil || !released.Released || released.NextName != "s3" || released.NextAddr != "h:3" || string(released.Handover) != "x" {
		t.Errorf("%+v, %v", released, err)
	}
	held := released
	held.Released = false
	if _, err := l.Acquire(ctx, 0, held, roomlog.Owner{Boot: "b3"}); !errors.Is(err, roomlog.ErrConflict) {
		t.Errorf("an acquire from the holder after its release: %v", err)
	}
	c, err := l.Acquire(ctx, 0, released, roomlog.Owner{Name: "s3", Boot: "b3"})
	if err != nil || c.Epoch != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	if now, err := l.Owner(ctx, 0); err != nil || now.Released || now.NextName != "" || now.Handover != nil {
		t.Errorf("the release is still in the record: %+v, %v", now, err)
	}
}

func allOrNothing(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	if _, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Boot: "b1"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{creation("go", ""), message("go", 1, "a")}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		records []roomlog.Record
		want    error
	}{
		"a sequence again":   {[]roomlog.Record{message("go", 2, "b"), message("go", 1, "c")}, roomlog.ErrRefused},
		"a room again":       {[]roomlog.Record{message("go", 2, "b"), creation("go", "")}, roomlog.ErrRoomExists},
		"a room twice":       {[]roomlog.Record{creation("new", ""), creation("new", "")}, roomlog.ErrRoomExists},
		"a room there isn't": {[]roomlog.Record{message("go", 2, "b"), message("nowhere", 1, "c")}, roomlog.ErrNoRoom},
	} {
		if err := l.Append(ctx, 0, 1, c.records); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got := sequences(l.Read(ctx, 0, "go", 1, 10, 1<<20)); got != "1" {
		t.Errorf("then the room has %q", got)
	}
	if rooms, err := l.Rooms(ctx, 0, "", 10); err != nil || len(rooms) != 1 {
		t.Errorf("then there are rooms %v, %v", rooms, err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{creation("new", ""), message("new", 1, "x"), message("go", 2, "b")}); err != nil {
		t.Errorf("a good batch afterwards: %v", err)
	}
}

func unknownKinds(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	if _, err := l.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Boot: "b1"}); err != nil {
		t.Fatal(err)
	}
	r := roomlog.Record{Room: "go", Seq: 1, Kind: 200, User: "ada", ID: "i", Content: "from the future"}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{creation("go", ""), r}); err != nil {
		t.Fatal(err)
	}
	r.Epoch = 1
	if got, err := l.Read(ctx, 0, "go", 1, 1, 1); err != nil || got[0] != r {
		t.Errorf("%+v, %v", got, err)
	}
}

func racingAcquires(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	var from roomlog.Owner
	for round := range 20 {
		const racers = 4
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() { _, errs[i] = l.Acquire(ctx, 0, from, roomlog.Owner{Name: "s", Boot: fmt.Sprint(i)}) })
		}
		wg.Wait()
		winner := slices.Index(errs, nil)
		for i, err := range errs {
			if i != winner && !errors.Is(err, roomlog.ErrConflict) {
				t.Errorf("round %d, racer %d: %v", round, i, err)
			}
		}
		var err error
		if from, err = l.Owner(ctx, 0); err != nil || winner < 0 || from.Epoch != uint64(round+1) || from.Boot != fmt.Sprint(winner) {
			t.Fatalf("round %d: %d won, the record says %+v, %v", round, winner, from, err)
		}
	}
}

func roll(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	for _, boot := range []string{"1-old", "2-new"} {
		if err := l.Register(ctx, roomlog.Process{Name: "s1", Boot: boot, Role: "shard", Client: "h:1", OS: roomlog.ThisProcess(), Alone: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Beat(ctx, "1-old", nil); !errors.Is(err, roomlog.ErrNameTaken) {
		t.Errorf("the older boot's heartbeat: %v", err)
	}
	before := entry(t, l, "2-new")
	read, err := l.Beat(ctx, "2-new", []int{5, 7})
	if err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(read, func(e roomlog.Entry) bool { return e.Boot == "2-new" && e.Beat == before.Beat }) || len(read) != 2 {
		t.Errorf("the heartbeat read %+v", read)
	}
	after := entry(t, l, "2-new")
	if after.Beat == before.Beat || !slices.Equal(after.Wants, []int{5, 7}) || after.Process != before.Process {
		t.Errorf("the heartbeat made %+v of %+v", after, before)
	}
	if known, gone := roomlog.ProcessGone(after.OS); known && gone {
		t.Error("this very process counts as gone")
	}
	for range 2 {
		if err := l.Strike(ctx, "1-old"); err != nil {
			t.Error(err)
		}
	}
	if entries, err := l.Entries(ctx); err != nil || len(entries) != 1 {
		t.Errorf("%+v, %v", entries, err)
	}
	if _, err := l.Beat(ctx, "1-old", nil); err == nil {
		t.Error("a heartbeat without an entry was taken")
	}
}

func entry(t *testing.T, l roomlog.Log, boot string) roomlog.Entry {
	t.Helper()
	entries, err := l.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(entries, func(e roomlog.Entry) bool { return e.Boot == boot })
	if i < 0 {
		t.Fatalf("no entry of %s in %+v", boot, entries)
	}
	return entries[i]
}

func pagesOfRooms(t *testing.T, impl Implementation) {
	l, ctx := open(t, impl, impl.Fresh(t)), t.Context()
	if _, err := l.Acquire(ctx, 9, roomlog.Owner{}, roomlog.Owner{Boot: "b1"}); err != nil {
		t.Fatal(err)
	}
	var batch []roomlog.Record
	for i := range 25 {
		batch = append(batch, creation(fmt.Sprintf("room-%02d", i), fmt.Sprint(i)))
	}
	if err := l.Append(ctx, 9, 1, batch); err != nil {
		t.Fatal(err)
	}
	var names []string
	for after := ""; ; {
		page, err := l.Rooms(ctx, 9, after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			names = append(names, r.Name)
		}
		if len(page) < 10 {
			break
		}
		after = page[9].Name
	}
	if len(names) != 25 || !slices.IsSorted(names) {
		t.Errorf("paged %v", names)
	}
}

func reopened(t *testing.T, impl Implementation) {
	spec := impl.Fresh(t)
	l, ctx := open(t, impl, spec), t.Context()
	own, err := l.Acquire(ctx, 1, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1", Addr: "h:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, 1, 1, []roomlog.Record{creation("go", "d"), message("go", 1, "a")}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l.CloseIdle(1)
		if now, err := l.Owner(ctx, 1); err != nil || now.Epoch != own.Epoch || now.Boot != own.Boot || now.Addr != own.Addr {
			t.Fatalf("%+v, %v", now, err)
		}
		if got := sequences(l.Read(ctx, 1, "go", 1, 9, 1<<20)); got != "1" {
			t.Fatalf("got %q", got)
		}
	}
	if err := l.Append(ctx, 1, 1, []roomlog.Record{message("go", 2, "b")}); err != nil {
		t.Error(err)
	}
}
