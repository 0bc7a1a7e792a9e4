package roomlogtest

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"positivity-exchange/shard/roomlog"
)

// model is what a partition must hold after the calls so far.
type model struct {
	log     roomlog.Log
	owner   roomlog.Owner
	stale   []roomlog.Owner // what the record was before
	rooms   map[string][]roomlog.Record
	epochOf map[string]uint64 // of creations
	n       int
}

// againstModel does random calls, right and wrong ones, and compares.
func againstModel(t *testing.T, impl Implementation) {
	l := open(t, impl, impl.Fresh(t))
	fewerChecks(t, impl.Share)
	partition := 0
	rapid.Check(t, func(t *rapid.T) {
		p := partition
		partition = (partition + 1) % 271
		if o, err := l.Owner(t.Context(), p); err != nil || o.Epoch != 0 {
			t.Skip("all partitions are used") // shrinking tries many
		}
		m := &model{log: l, rooms: map[string][]roomlog.Record{}, epochOf: map[string]uint64{}}
		t.Repeat(map[string]func(*rapid.T){
			"acquire":      func(t *rapid.T) { m.acquire(t, p) },
			"acquireStale": func(t *rapid.T) { m.acquireStale(t, p) },
			"release":      func(t *rapid.T) { m.release(t, p) },
			"append":       func(t *rapid.T) { m.append(t, p) },
			"appendStale":  func(t *rapid.T) { m.appendStale(t, p) },
			"closeIdle":    func(*rapid.T) { l.CloseIdle(p) },
			"":             func(t *rapid.T) { m.check(t, p) },
		})
	})
}

// fewerChecks divides rapid's number of runs, for logs where each costs much.
func fewerChecks(t *testing.T, share int) {
	checks := flag.Lookup("rapid.checks")
	was := checks.Value.String()
	n, err := strconv.Atoi(was)
	if err != nil || share < 2 {
		return
	}
	if err := checks.Value.Set(strconv.Itoa(max(1, n/share))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checks.Value.Set(was) }) //nolint:errcheck // it was its value
}

func (m *model) acquire(t *rapid.T, p int) {
	boot := rapid.SampledFrom([]string{"b1", "b2", "b3"}).Draw(t, "boot")
	got, err := m.log.Acquire(t.Context(), p, m.owner, roomlog.Owner{Name: "s" + boot, Boot: boot, Addr: "h:" + boot})
	if err != nil {
		t.Fatal(err)
	}
	m.stale = append(m.stale, m.owner)
	m.owner = roomlog.Owner{Epoch: m.owner.Epoch + 1, Name: "s" + boot, Boot: boot, Addr: "h:" + boot}
	if fmt.Sprint(got) != fmt.Sprint(m.owner) {
		t.Fatalf("acquired %+v, want %+v", got, m.owner)
	}
}

func (m *model) acquireStale(t *rapid.T, p int) {
	if len(m.stale) == 0 {
		t.Skip("nothing was before")
	}
	from := rapid.SampledFrom(m.stale).Draw(t, "from")
	if _, err := m.log.Acquire(t.Context(), p, from, roomlog.Owner{Boot: "thief"}); !errors.Is(err, roomlog.ErrConflict) {
		t.Fatalf("acquire from %+v while %+v: %v", from, m.owner, err)
	}
}

func (m *model) release(t *rapid.T, p int) {
	err := m.log.Release(t.Context(), p, m.owner.Epoch, roomlog.Release{NextName: "n", NextAddr: "a", Handover: []byte("h")})
	if m.owner.Epoch == 0 || m.owner.Released {
		if !errors.Is(err, roomlog.ErrFenced) {
			t.Fatalf("release of what is not held: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.stale = append(m.stale, m.owner)
	m.owner.Released, m.owner.NextName, m.owner.NextAddr, m.owner.Handover = true, "n", "a", []byte("h")
}

// append writes a batch over some rooms, each of which may be new.
func (m *model) append(t *rapid.T, p int) {
	var batch []roomlog.Record
	next := map[string]int{}
	for range rapid.IntRange(1, 8).Draw(t, "size") {
		name := rapid.SampledFrom([]string{"go", "rust", "tea"}).Draw(t, "room")
		if _, known := m.epochOf[name]; !known && next[name] == 0 {
			batch = append(batch, creation(name, "d"))
		}
		if next[name] == 0 {
			next[name] = len(m.rooms[name])
		}
		next[name]++
		m.n++
		r := message(name, uint64(next[name]), fmt.Sprint("m", m.n))
		r.Kind = rapid.SampledFrom([]roomlog.Kind{roomlog.KindMessage, roomlog.KindTopic, 77}).Draw(t, "kind")
		batch = append(batch, r)
	}
	err := m.log.Append(t.Context(), p, m.owner.Epoch, batch)
	if m.owner.Epoch == 0 || m.owner.Released {
		if !errors.Is(err, roomlog.ErrFenced) {
			t.Fatalf("append without ownership: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range batch {
		if r.Kind == roomlog.KindCreated {
			m.epochOf[r.Room] = m.owner.Epoch
			continue
		}
		r.Epoch = m.owner.Epoch
		m.rooms[r.Room] = append(m.rooms[r.Room], r)
	}
}

func (m *model) appendStale(t *rapid.T, p int) {
	if m.owner.Epoch < 2 {
		t.Skip("no epoch was before")
	}
	epoch := rapid.Uint64Range(1, m.owner.Epoch-1).Draw(t, "epoch")
	if err := m.log.Append(t.Context(), p, epoch, []roomlog.Record{message("go", 1<<30, "late")}); !errors.Is(err, roomlog.ErrFenced) {
		t.Fatalf("append under epoch %d of %d: %v", epoch, m.owner.Epoch, err)
	}
}

func (m *model) check(t *rapid.T, p int) {
	ctx := t.Context()
	if o, err := m.log.Owner(ctx, p); err != nil || o.Epoch != m.owner.Epoch || m.owner.Epoch != 0 && fmt.Sprint(o) != fmt.Sprint(m.owner) {
		t.Fatalf("owner %+v, %v; want %+v", o, err, m.owner)
	}
	rooms, err := m.log.Rooms(ctx, p, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rooms {
		names = append(names, r.Name)
	}
	if want := slices.Sorted(maps.Keys(m.epochOf)); !slices.Equal(names, want) {
		t.Fatalf("rooms %v, want %v", names, want)
	}
	for name, want := range m.rooms {
		got, err := m.log.Read(ctx, p, name, 1, 1<<30, 1<<30)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s has %+v, %v; want %+v", name, got, err, want)
		}
		before := rapid.Uint64Range(0, uint64(len(want))+2).Draw(t, "before")
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		end := min(int(max(before, 1))-1, len(want))
		back, err := m.log.ReadBack(ctx, p, name, before, limit, 1<<30)
		if err != nil || !slices.Equal(back, want[max(0, end-limit):end]) {
			t.Fatalf("%s back from %d, %d of them: %+v, %v", name, before, limit, back, err)
		}
		at, _, err := m.log.Head(ctx, p, name)
		if err != nil || at.Seq != uint64(len(want)) || len(want) > 0 && at.Epoch != want[len(want)-1].Epoch {
			t.Fatalf("%s has its head at %+v, %v", name, at, err)
		}
	}
}
