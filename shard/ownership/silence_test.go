package ownership

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/membership/membershiptest"
	"positivity-exchange/shard/roomlog"
)

// TestHeartbeatAloneDoesNotMakeADeposedOwnerAnswer: who was silent long enough
// to be deposed beats again before it reads its records again; in between it
// must not answer.
func TestHeartbeatAloneDoesNotMakeADeposedOwnerAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.log.Cut(true)
		membershiptest.Within(t, "a says it is cut", 4*time.Second, func() bool { return a.Self().Cut })
		b.lose(a)
		b.setTable(b.Self())
		b.mustHold(p, 3*time.Second)
		was := a.census.lastBeat()
		a.log.Cut(false)
		membershiptest.Within(t, "a beats again and learns", 2*time.Second, func() bool {
			if a.keeper.Fresh(p, 1) {
				t.Fatalf("a would answer for a partition that is b's, %s after its last heartbeat", time.Since(a.census.lastBeat()))
			}
			return a.census.lastBeat().After(was) && len(a.keeper.Held()) == 0
		})
	})
}

// TestWhoIsCutMovesNothing: on a full disk all are cut, one after the other, and
// each table in between gives everything to those who are not yet, or no more.
func TestWhoIsCutMovesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.set(func() { a.sessions, a.heard = 1, 1 })
		a.roll.stall.Store(true) // heartbeats fail; what needs no more room goes through
		membershiptest.Within(t, "a says it is cut", 4*time.Second, func() bool { return a.Self().Cut })
		b.setTable(b.Self())
		a.setTable(b.Self())
		for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(50 * time.Millisecond) {
			if len(a.keeper.Held()) == 0 {
				t.Fatalf("a gave it up after %s", time.Since(start))
			}
		}
		a.roll.stall.Store(false)
		membershiptest.Within(t, "a is not cut any more, and gives it up", 3*time.Second, func() bool {
			if len(a.keeper.Held()) > 0 {
				return false
			}
			if a.Self().Cut {
				t.Error("a gave it up first")
			}
			return true
		})
	})
}

// TestOwnerWhoseHeartbeatsFailReadsBeforeEachAnswer: its record may be another's
// a moment after it was read.
func TestOwnerWhoseHeartbeatsFailReadsBeforeEachAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		b.lose(a)
		b.setTable(b.Self())
		a.roll.stall.Store(true)
		membershiptest.Within(t, "b holds it", 5*time.Second, func() bool {
			_, mine := a.keeper.Hold(t.Context(), p)
			if h, err := b.keeper.Hold(t.Context(), p); err == nil && h.Epoch == 2 {
				if h, err := a.keeper.Hold(t.Context(), p); err == nil {
					t.Fatalf("a answers under epoch %d once b holds it", h.Epoch)
				}
				return true
			}
			if mine != nil {
				t.Fatalf("a does not answer while it holds the partition and reaches the log: %v", mine)
			}
			return false
		})
	})
}

// TestFrozenInsideAcquire: the answer to an acquire reaches its shard after it
// was deposed again.
func TestFrozenInsideAcquire(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.keeper.log = &frozenInAcquire{Log: a.log, during: func() {
			a.log.Cut(true)
			b.lose(a)
			b.setTable(b.Self())
			b.mustHold(p, 5*time.Second)
			a.log.Cut(false)
		}}
		if h, err := a.keeper.Hold(t.Context(), p); err == nil {
			t.Errorf("a answers under epoch %d, deposed meanwhile", h.Epoch)
		}
		if a.keeper.Fresh(p, 1) {
			t.Error("a would answer from memory")
		}
	})
}

// TestWantsOfTheDeadDoNotCount: the roll keeps the entry of a shard that died
// wanting a partition; its holder, quiet just now, must not give it to a dead
// shard, again and again.
func TestWantsOfTheDeadDoNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.set(func() { a.sessions, a.heard = 1, 1 })
		b.set(func() { b.deaf["a"] = true })
		b.setTable(b.Self())
		wanted := func() bool {
			entries, err := b.log.Entries(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Boot == b.self.Boot && len(e.Wants) > 0 {
					return true
				}
			}
			return false
		}
		membershiptest.Within(t, "b wants it", 3*time.Second, func() bool {
			b.keeper.Hold(t.Context(), p) //nolint:errcheck // redirects
			return wanted()
		})
		b.stop()
		b.cancel = nil
		a.lose(b)
		time.Sleep(2 * time.Second) // its heartbeat has stood still for long
		a.set(func() { a.heard = 0 })
		for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(100 * time.Millisecond) {
			if h := a.mustHold(p, 0); h.Epoch != 1 {
				t.Fatalf("given to a dead shard, and taken again under epoch %d, after %s", h.Epoch, time.Since(start))
			}
		}
		if !wanted() {
			t.Error("the test's premise is gone: the dead shard's entry does not want it any more")
		}
	})
}

// stalled is a log that takes no heartbeats while everything else works, or
// whose reads of the roll end long after they read.
type stalled struct {
	roomlog.Log
	process roomlog.Process
	stall   atomic.Bool
	slow    atomic.Pointer[chan struct{}] // a heartbeat, having read the roll, writes its entry when this is closed
	frozen  atomic.Pointer[chan struct{}]
}

func (s *stalled) Beat(ctx context.Context, boot string, wants []int) ([]roomlog.Entry, error) {
	if s.stall.Load() {
		return nil, roomlog.ErrRefused
	}
	if goOn := s.slow.Load(); goOn != nil {
		entries, err := s.Log.Beat(ctx, boot, wants)
		if err != nil {
			return nil, err
		}
		<-*goOn
		return entries, s.Log.Register(ctx, s.process)
	}
	entries, err := s.Log.Beat(ctx, boot, wants)
	s.freeze()
	return entries, err
}

func (s *stalled) Entries(ctx context.Context) ([]roomlog.Entry, error) {
	entries, err := s.Log.Entries(ctx)
	s.freeze()
	return entries, err
}

// freeze stands still between a read and its end.
func (s *stalled) freeze() {
	if wake := s.frozen.Load(); wake != nil {
		<-*wake
	}
}

// frozenInAcquire is a log whose process stands still, once, between an
// acquire and its answer.
type frozenInAcquire struct {
	roomlog.Log
	during func()
}

func (l *frozenInAcquire) Acquire(ctx context.Context, partition int, from, to roomlog.Owner) (roomlog.Owner, error) {
	own, err := l.Log.Acquire(ctx, partition, from, to)
	if during := l.during; during != nil {
		l.during = nil
		during()
	}
	return own, err
}

// TestWhatIsTakenBackStays: two shards that cannot reach each other, each with
// clients of its own now and then. One gives a quiet partition up because the
// other wants it, and takes it back when its next client is there first: it must
// not give it up for each further want.
func TestWhatIsTakenBackStays(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.set(func() { a.sessions, a.deaf["b"] = 1, true })
		b.set(func() { b.deaf["a"] = true })
		a.lose(b)
		b.lose(a)
		a.setTable(a.Self())
		b.setTable(b.Self())
		gave := func() int {
			a.mu.Lock()
			defer a.mu.Unlock()
			n := 0
			for _, what := range a.told {
				if what == fmt.Sprintf("released %d b", p) {
					n++
				}
			}
			return n
		}
		for i := range 3000 { // 30 s
			time.Sleep(10 * time.Millisecond)
			if len(a.keeper.Held()) == 0 {
				a.mustHold(p, 0)
			} else if i%10 == 5 {
				b.keeper.Hold(t.Context(), p) //nolint:errcheck // it is a's, which b cannot reach
			}
		}
		if n := gave(); n != 1 {
			t.Errorf("given up %d times in 30 s, want once", n)
		}
	})
}

// TestWantsReachWhomTheRecordNames: the answer to an acquire was lost, and no
// client reaches the shard that the record names, so that it never acquires
// again. Nor can others ask it.
func TestWantsReachWhomTheRecordNames(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.log.LoseAnswers(1)
		if _, err := a.keeper.Hold(t.Context(), p); !errors.Is(err, roomlog.ErrUnknown) {
			t.Fatalf("an acquire without an answer: %v", err)
		}
		b.set(func() { b.deaf["a"] = true })
		b.lose(a)
		b.setTable(b.Self())
		took := membershiptest.Within(t, "b holds it", 5*time.Second, func() bool {
			h, err := b.keeper.Hold(t.Context(), p)
			return err == nil && h.Epoch == 2
		})
		t.Logf("after %s", took)
	})
}

// TestWhatCameFromOneOutOfReachStays though the client for whom it was wanted
// came again late.
func TestWhatCameFromOneOutOfReachStays(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		for _, n := range []*node{a, b} {
			n.set(func() { n.sessions, n.deaf["a"], n.deaf["b"] = 1, true, true })
			n.setTable(n.Self())
		}
		a.lose(b)
		b.lose(a)
		b.keeper.Hold(t.Context(), p) //nolint:errcheck // it is a's, which b cannot reach
		membershiptest.Within(t, "a gives it up", 5*time.Second, func() bool { return len(a.keeper.Held()) == 0 })
		time.Sleep(5 * time.Second)
		b.mustHold(p, 0)
		for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
			if _, err := a.keeper.Hold(t.Context(), p); err == nil {
				t.Fatalf("it went back after %s", time.Since(start))
			}
		}
	})
}

// TestFrozenWhileReadingTheRoll: what was read before a shard stood still says
// nothing of the time after it.
func TestFrozenWhileReadingTheRoll(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		time.Sleep(beatEvery / 4) // not in step
		b := w.start("b")
		a.lose(b)
		membershiptest.Within(t, "a has seen b's heartbeat", 2*time.Second, func() bool { return a.census.seenLately(b.self.Boot) })
		// b is late once, so that a's last heartbeat is newer than b's.
		b.roll.stall.Store(true)
		membershiptest.Within(t, "a's next heartbeat", 2*time.Second, func() bool {
			a.census.mu.Lock()
			defer a.census.mu.Unlock()
			return a.census.lastBeat().After(a.census.seen[b.self.Boot].changed)
		})
		wake := make(chan struct{})
		a.roll.frozen.Store(&wake)
		gone := make(chan bool)
		go func() { gone <- a.census.Gone(b.self.Boot) }()
		synctest.Wait()
		b.roll.stall.Store(false)
		time.Sleep(5 * time.Second) // b beats on
		a.roll.frozen.Store(nil)
		close(wake)
		if <-gone {
			t.Error("a takes b for gone, which beat all the time")
		}
	})
}

// TestNoHeartbeatFollowsTheStrike: a member that has left in order has not lost
// its name, though its entry is not on the roll any more; and a heartbeat that
// was under way must not put the entry back.
func TestNoHeartbeatFollowsTheStrike(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		goOn := make(chan struct{})
		a.roll.slow.Store(&goOn)
		time.Sleep(2 * beatEvery) // a heartbeat is under way, and stands
		struck := make(chan error)
		go func() { struck <- a.census.Strike(t.Context()) }()
		time.Sleep(beatEvery)
		close(goOn)
		if err := <-struck; err != nil {
			t.Fatal(err)
		}
		select {
		case <-a.censusEnded:
			t.Errorf("the census ended with %v after the strike", a.err)
		case <-time.After(5 * beatEvery):
		}
		if entries, err := a.log.Entries(t.Context()); err != nil || len(entries) != 0 {
			t.Errorf("on the roll after the strike: %v, %v", entries, err)
		}
	})
}

// TestReacquiredSlowlyIsReacquired: whoever acquires anew after an append of
// unknown outcome must learn its epoch, however long the log took to answer;
// otherwise it appends under the old one, and is fenced for ever.
func TestReacquiredSlowlyIsReacquired(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		p := a.partitionOf(a)
		old := a.mustHold(p, 0)
		a.keeper.log = &frozenInAcquire{Log: a.log, during: func() { time.Sleep(2 * freshFor) }}
		h, err := a.keeper.Reacquire(t.Context(), p, old.Epoch)
		if err != nil || h.Epoch != old.Epoch+1 {
			t.Errorf("reacquired from epoch %d: %d, %v", old.Epoch, h.Epoch, err)
		}
	})
}

// TestServingSideOfAnotherEpochIsEnded: a serving side that is fenced although
// its shard holds the partition has missed an epoch.
func TestServingSideOfAnotherEpochIsEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		p := a.partitionOf(a)
		old := a.mustHold(p, 0)
		if _, err := a.keeper.Reacquire(t.Context(), p, old.Epoch); err != nil {
			t.Fatal(err)
		}
		lost := fmt.Sprintf("lost %d %d a", p, old.Epoch)
		a.keeper.Fenced(p, old.Epoch+1)
		synctest.Wait()
		if a.saw(lost) {
			t.Error("the side of the epoch held was ended")
		}
		a.keeper.Fenced(p, old.Epoch)
		synctest.Wait()
		if !a.saw(lost) {
			t.Errorf("the side of epoch %d goes on: %q", old.Epoch, a.told)
		}
	})
}
