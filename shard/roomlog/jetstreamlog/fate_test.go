package jetstreamlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog/natstest"
)

// held opens a log and makes room "go" in partition 0, held under epoch 1.
func held(t *testing.T, url string) *Log {
	t.Helper()
	l, err := Open(Options{URL: url, Cluster: fmt.Sprintf("f%d", fresh.Add(1)), Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // never fails
	if _, err := l.Acquire(t.Context(), 0, roomlog.Owner{}, roomlog.Owner{Name: "s1", Boot: "b1"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), 0, 1, []roomlog.Record{{Room: "go", Kind: roomlog.KindCreated, Content: "gophers"}}); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestWritesThatComeLate sends again, byte for byte, what was sent before: the
// owner's own message, and one of an owner that has been deposed since.
func TestWritesThatComeLate(t *testing.T) {
	l, ctx := held(t, natstest.Start(t, natstest.Config{}).URL()), t.Context()
	watch, err := l.nc.SubscribeSync(l.parts[0].filter)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 3; seq++ {
		if err := l.Append(ctx, 0, 1, []roomlog.Record{record("go", seq)}); err != nil {
			t.Fatal(err)
		}
	}
	var sent []*nats.Msg
	for range 3 {
		m, err := watch.NextMsgWithContext(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, m)
	}
	again := func(m *nats.Msg) ack {
		t.Helper()
		late := nats.NewMsg(m.Subject)
		late.Header, late.Data = m.Header, m.Data
		reply, err := l.nc.RequestMsgWithContext(ctx, late)
		if err != nil {
			t.Fatal(err)
		}
		var a ack
		if err := json.Unmarshal(reply.Data, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, m := range sent {
		if a := again(m); a.Error == nil || a.Error.ErrorCode != codeStale {
			t.Errorf("a copy of sequence %s: %+v", m.Header.Get(headerFirst), a)
		}
	}
	// As a zombie would: numbered right, expecting what it saw last.
	o, err := l.Owner(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	zombie := record("go", 4)
	m, err := encode(l.parts[0], 1, []*roomlog.Record{&zombie})
	if err != nil {
		t.Fatal(err)
	}
	expect(m, l.parts[0].filter, l.parts[0].last)
	if _, err := l.Acquire(ctx, 0, o, roomlog.Owner{Name: "s2", Boot: "b2"}); err != nil {
		t.Fatal(err)
	}
	if a := again(m); a.Error == nil || a.Error.ErrorCode != codeStale {
		t.Errorf("the zombie's: %+v", a)
	}
	if at, _, err := l.Head(ctx, 0, "go"); err != nil || at.Seq != 3 {
		t.Errorf("the room ends at %+v, %v", at, err)
	}
}

// TestAnswersThatDoNotCome freezes the server for longer than an attempt is
// waited for: the append is sent again, both arrive, and it is in once.
func TestAnswersThatDoNotCome(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Config{})
	l, ctx := held(t, s.URL()), t.Context()
	frozen(t, s, func() {
		if err := l.Append(ctx, 0, 1, []roomlog.Record{record("go", 1)}); err != nil {
			t.Errorf("one record: %v", err)
		}
	})
	frozen(t, s, func() {
		if err := l.Append(ctx, 0, 1, []roomlog.Record{record("go", 2), record("go", 3)}); err != nil {
			t.Errorf("a batch: %v", err)
		}
	})
	o, err := l.Owner(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	frozen(t, s, func() {
		if own, err := l.Acquire(ctx, 0, o, roomlog.Owner{Name: "s2", Boot: "b2"}); err == nil && own.Epoch != 2 || err != nil && !errors.Is(err, roomlog.ErrConflict) {
			t.Errorf("acquire: %+v, %v", own, err)
		}
	})
	if now, err := l.Owner(ctx, 0); err != nil || now.Boot != "b2" || now.Epoch != 2 {
		t.Errorf("owner %+v, %v", now, err)
	}
	// An owner that is frozen with its append on the way, and deposed meanwhile.
	zombie, err := Open(Options{URL: s.URL(), Cluster: l.cluster, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer zombie.Close()
	var late error
	frozen(t, s, func() { late = l.Append(ctx, 0, 2, []roomlog.Record{record("go", 4)}) })
	if late != nil {
		t.Errorf("the last of an owner: %v", late)
	}
	if o, err = zombie.Owner(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := zombie.ready(ctx, zombie.parts[0], 2); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Acquire(ctx, 0, o, roomlog.Owner{Name: "s3", Boot: "b3"}); err != nil {
		t.Fatal(err)
	}
	frozen(t, s, func() { late = zombie.Append(ctx, 0, 2, []roomlog.Record{record("go", 5)}) })
	if !errors.Is(late, roomlog.ErrFenced) {
		t.Errorf("a deposed owner's append without an answer: %v", late)
	}
	records, err := l.Read(ctx, 0, "go", 1, 10, 1<<20)
	if err != nil || len(records) != 4 || records[2].Seq != 3 {
		t.Errorf("the room has %+v, %v", records, err)
	}
}

// TestWhoLacksWhatIsInTheWayCannotTell: a replica that is behind has not got the
// record that was stored, which is no sign that it was not.
func TestWhoLacksWhatIsInTheWayCannotTell(t *testing.T) {
	l, ctx := held(t, natstest.Start(t, natstest.Config{}).URL()), t.Context()
	p, absent := l.parts[0], record("go", 1)
	at := p.last
	for _, inTheWay := range []uint64{at, 0} { // of whom has it, and of the leader
		if _, in, err := l.stored(ctx, p, 1, &absent, inTheWay); in || err != nil {
			t.Errorf("with %d in the way: %v, %v", inTheWay, in, err)
		}
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, in, err := l.stored(short, p, 1, &absent, at+1); in || err == nil {
		t.Errorf("nobody has it: %v, %v", in, err)
	}
}

// TestStreamAtItsLimit refuses at once, and takes again what is written once it
// may be larger.
func TestStreamAtItsLimit(t *testing.T) {
	l, ctx := held(t, natstest.Start(t, natstest.Config{}).URL()), t.Context()
	limit := func(bytes int64) {
		t.Helper()
		s, err := l.js.Stream(ctx, l.parts[0].stream)
		if err != nil {
			t.Fatal(err)
		}
		config := s.CachedInfo().Config
		config.MaxBytes = bytes
		if _, err := l.js.UpdateStream(ctx, config); err != nil {
			t.Fatal(err)
		}
	}
	limit(64 << 10)
	seq := uint64(1)
	large := func() roomlog.Record {
		r := record("go", seq)
		r.Content = strings.Repeat("x", 8<<10)
		return r
	}
	var err error
	for ; err == nil && seq < 20; seq++ {
		err = l.Append(ctx, 0, 1, []roomlog.Record{large()})
	}
	if seq--; !errors.Is(err, roomlog.ErrRefused) || !strings.Contains(err.Error(), "byte limit") {
		t.Fatalf("record %d: %v", seq, err)
	}
	if err := l.Append(ctx, 0, 1, []roomlog.Record{large(), record("go", seq+1)}); !errors.Is(err, roomlog.ErrRefused) {
		t.Errorf("a batch: %v", err)
	}
	limit(-1)
	if err := l.Append(ctx, 0, 1, []roomlog.Record{large()}); err != nil {
		t.Errorf("record %d with room for it: %v", seq, err)
	}
}

// frozen calls f while the server stands still, which it does for longer than
// one attempt is waited for.
func frozen(t *testing.T, s *natstest.Server, f func()) {
	t.Helper()
	s.Freeze(t)
	thaw := time.AfterFunc(attemptFor+200*time.Millisecond, s.Thaw)
	f()
	if thaw.Stop() {
		s.Thaw()
		t.Error("it was over before the server could answer")
	}
}

// TestNothingIsThereToAnswer: a server that is gone refuses in bounded time,
// and what was refused is not in when it is back.
func TestNothingIsThereToAnswer(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, natstest.Config{})
	l, ctx := held(t, s.URL()), t.Context()
	s.Kill()
	start := time.Now()
	if err := l.Release(ctx, 0, 1, roomlog.Release{}); err == nil {
		t.Error("a release without a server")
	}
	if _, err := l.Read(ctx, 0, "go", 1, 1, 1); !errors.Is(err, roomlog.ErrRefused) {
		t.Errorf("a page: %v", err)
	}
	if took := time.Since(start); took > ownerFor+readFor+2*time.Second {
		t.Errorf("it took %s", took)
	}
	done := make(chan error, 1)
	go func() { done <- l.Append(ctx, 0, 1, []roomlog.Record{record("go", 1)}) }()
	s.Start(t) // an append waits for it
	if err := <-done; err != nil {
		t.Errorf("an append while the server came back: %v", err)
	}
	if o, err := l.Owner(ctx, 0); err != nil || o.Released || o.Epoch != 1 {
		t.Errorf("owner %+v, %v", o, err)
	}
}

// TestPagesOfARoomThatSpeaksInBursts reads from everywhere in a room whose
// records lie unevenly between others'.
func TestPagesOfARoomThatSpeaksInBursts(t *testing.T) {
	l, ctx := held(t, natstest.Start(t, natstest.Config{}).URL()), t.Context()
	rng := rand.New(rand.NewPCG(1, 2))
	heads := map[string]uint64{"go": 0}
	var batch []roomlog.Record
	for _, other := range []string{"rust", "tea"} {
		heads[other] = 0
		batch = append(batch, roomlog.Record{Room: other, Kind: roomlog.KindCreated})
	}
	for len(batch) < 3000 {
		room := []string{"go", "rust", "tea"}[rng.IntN(3)]
		for range 1 + rng.IntN(1+rng.IntN(200)) {
			heads[room]++
			batch = append(batch, record(room, heads[room]))
		}
	}
	for chunk := range slices.Chunk(batch, 250) {
		if err := l.Append(ctx, 0, 1, chunk); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 {
		from, limit := 1+rng.Uint64N(heads["go"]), 1+rng.IntN(40)
		got, err := l.Read(ctx, 0, "go", from, limit, 1<<20)
		if want := min(uint64(limit), heads["go"]-from+1); err != nil || uint64(len(got)) != want || got[0] != (func() roomlog.Record { r := record("go", from); r.Epoch = 1; return r })() {
			t.Fatalf("%d from %d of %d: %d records, %v", limit, from, heads["go"], len(got), err)
		}
		if rng.IntN(3) == 0 {
			clear(l.hints)
		}
	}
}
