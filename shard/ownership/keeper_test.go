package ownership

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/membership/membershiptest"
	"positivity-exchange/shard/roomlog"
)

func TestFirstUseAcquiresAndOthersRedirect(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		if h := a.mustHold(p, 0); h.Epoch != 1 || h.Crashed {
			t.Errorf("held %+v", h)
		}
		_, err := b.hold(p, 0)
		var to *RedirectError
		if !errors.As(err, &to) || to.Where.Name != "a" || to.Where.Epoch != 1 {
			t.Errorf("b says %v", err)
		}
	})
}

func TestYieldOfAnUnusedPartitionIsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		p := 0
		a.mustHold(p, 0)
		b := w.boot("b")
		if err := b.census.Enroll(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.run()
		// b's table gives p to b alone; a knows nothing of it yet and keeps it.
		b.setTable(b.Self())
		_, err := b.hold(p, 0)
		var to *RedirectError
		if !errors.As(err, &to) || to.Where.Name != "a" {
			t.Fatalf("while a's table gives it to a: %v", err)
		}
		a.setTable(b.Self())
		start := time.Now()
		if h := b.mustHold(p, time.Second); h.Epoch != 2 || h.Crashed {
			t.Errorf("held %+v", h)
		}
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("the hand-over took %s", took)
		}
	})
}

// TestYieldWhileTheMoveIsUnderWay: who asks in the middle of the holder's own
// move must not be sent to the holder, which has given it up by then.
func TestYieldWhileTheMoveIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		a.stops = 50 * time.Millisecond
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		b.setTable(b.Self())
		a.setTable(b.Self())
		synctest.Wait() // a's mover is in Stop
		if h := b.mustHold(p, 0); h.Epoch != 2 || h.Crashed {
			t.Errorf("held %+v", h)
		}
	})
}

func TestMoveIsAnnouncedAndCarriesWhoIsPresent(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		a.set(func() { a.sessions, a.heard = 3, 3 })
		for p := range membership.Partitions {
			a.mustHold(p, 0)
		}
		b := w.start("b")
		p := a.partitionOf(b)
		membershiptest.Within(t, "the move", 5*time.Second, func() bool { return a.saw(fmt.Sprintf("released %d b", p)) })
		if !a.saw(fmt.Sprintf("announce %d b", p)) {
			t.Error("it was not announced")
		}
		if h := b.mustHold(p, 0); h.Epoch != 2 || string(h.Handover.Take()) != "present" {
			t.Errorf("held %+v", h)
		}
		kept := a.partitionOf(a)
		if a.saw(fmt.Sprintf("released %d b", kept)) {
			t.Error("a partition moved that stays")
		}
	})
}

// TestKilledBeforeAnybodySawIt: the record names a boot that gossip never knew.
func TestKilledBeforeAnybodySawIt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		ghost := w.start("ghost")
		p := ghost.partitionOf(ghost)
		ghost.mustHold(p, 0)
		ghost.stop()
		delete(w.nodes, "ghost")
		a := w.start("a")
		start := time.Now()
		if h := a.mustHold(p, 3*time.Second); h.Epoch != 2 || !h.Crashed {
			t.Errorf("held %+v", h)
		}
		t.Logf("served again after %s", time.Since(start))
	})
}

func TestLostAnswerToAnAcquire(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.log.LoseAnswers(1)
		if _, err := a.keeper.Hold(t.Context(), p); !errors.Is(err, roomlog.ErrUnknown) {
			t.Fatalf("an acquire without an answer: %v", err)
		}
		// The record names a, which does not serve: a client that comes is served.
		if h := a.mustHold(p, 3*time.Second); h.Epoch != 2 {
			t.Errorf("held %+v", h)
		}
		// And if it should be another's by then, that one gets it.
		q := a.partitionOf(b)
		a.setTable(a.Self())
		a.log.LoseAnswers(1)
		if _, err := a.keeper.Hold(t.Context(), q); !errors.Is(err, roomlog.ErrUnknown) {
			t.Fatalf("an acquire without an answer: %v", err)
		}
		w.settle()
		if h := b.mustHold(q, 3*time.Second); h.Epoch != 2 {
			t.Errorf("held %+v", h)
		}
	})
}

// TestDeposedOwnerLearnsWithinASecond cuts the owner off the log for so long
// that it is deposed; once it reaches the log again it must learn, though
// nobody uses the partition.
func TestDeposedOwnerLearnsWithinASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		a.gossips = 2 * time.Second
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.log.Cut(true)
		membershiptest.Within(t, "a says it is cut", 4*time.Second, func() bool { return a.Self().Cut })
		if a.keeper.Fresh(p, 1) {
			t.Error("an owner that cannot read its record would answer from memory")
		}
		// Who comes to it need not wait for the log's silence.
		a.setTable(b.Self())
		var to *RedirectError
		if _, err := a.keeper.Hold(t.Context(), p); !errors.As(err, &to) || to.Where.Name != "b" {
			t.Errorf("whoever comes to it hears %v", err)
		}
		b.lose(a) // as the flag makes all others see it
		b.setTable(b.Self())
		if h := b.mustHold(p, 3*time.Second); h.Epoch != 2 || !h.Crashed {
			t.Errorf("held %+v", h)
		}
		a.log.Cut(false)
		took := membershiptest.Within(t, "a learns", 10*time.Second, func() bool { return a.saw(fmt.Sprintf("lost %d 1 b", p)) })
		if took > time.Second+50*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		membershiptest.Within(t, "a is not cut any more", 2*time.Second, func() bool { return !a.Self().Cut })
	})
}

// TestOutageOfTheLogDeposesNobody: the log is away for all (an election among
// its servers) for so long that all call themselves cut, and comes back for one
// before it does for the other. That the other's heartbeat stood still while
// nobody's could move says nothing.
func TestOutageOfTheLogDeposesNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.log.Cut(true)
		b.log.Cut(true)
		membershiptest.Within(t, "both say they are cut", 4*time.Second, func() bool { return a.Self().Cut && b.Self().Cut })
		b.lose(a) // as the flag makes all others see it
		b.setTable(b.Self())
		b.log.Cut(false)
		membershiptest.Within(t, "b's next heartbeat", time.Second, func() bool { return time.Since(b.census.lastBeat()) < freshFor })
		for start := time.Now(); time.Since(start) < 700*time.Millisecond; time.Sleep(10 * time.Millisecond) {
			if h, err := b.keeper.Hold(t.Context(), p); err == nil {
				t.Fatalf("b took it %s after its log came back: %+v", time.Since(start), h)
			}
			if time.Since(start) > 400*time.Millisecond {
				a.log.Cut(false)
			}
		}
		if h, err := a.hold(p, time.Second); err != nil || h.Epoch != 1 {
			t.Errorf("a holds %+v, %v", h, err)
		}
	})
}

// TestReleasedToAShardThatCameBackElsewhere: the whole cluster ended after a
// partition was given to b, and b started again under another address. Who asks
// a must be sent to where b is now.
func TestReleasedToAShardThatCameBackElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		before, err := a.log.Acquire(t.Context(), p, roomlog.Owner{}, roomlog.Owner{Name: "c", Boot: "ended", Addr: "where c was"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.log.Release(t.Context(), p, before.Epoch, roomlog.Release{NextName: "b", NextAddr: "where b was"}); err != nil {
			t.Fatal(err)
		}
		var to *RedirectError
		if _, err := a.keeper.Hold(t.Context(), p); !errors.As(err, &to) || to.Where.Addr != b.Self().Client {
			t.Errorf("a answers %v, want a redirect to %s", err, b.Self().Client)
		}
		b.mustHold(p, 0)
	})
}

// TestNobodyTakesFromTheLiving parts gossip and the member connections of two
// shards that reach one log, each with a table of its own: clients of both
// sides use the partition all the time, and its owner must not change.
func TestNobodyTakesFromTheLiving(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.set(func() { a.sessions, a.heard = 1, 1 })
		a.lose(b)
		b.lose(a)
		a.set(func() { a.deaf["b"] = true })
		b.set(func() { b.deaf["a"] = true })
		a.setTable(a.Self())
		b.setTable(b.Self())
		for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(50 * time.Millisecond) {
			if h, err := a.hold(p, 0); err != nil || h.Epoch != 1 {
				t.Fatalf("a after %s: %+v, %v", time.Since(start), h, err)
			}
			if _, err := b.keeper.Hold(t.Context(), p); err == nil {
				t.Fatalf("b took it after %s", time.Since(start))
			}
		}
	})
}

// TestWantsReachAHolderThatNobodyReaches: as above, but no client reaches the
// holder either, which lets go then.
func TestWantsReachAHolderThatNobodyReaches(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.set(func() { a.sessions, a.heard = 1, 0 })
		a.lose(b)
		b.lose(a)
		b.set(func() { b.deaf["a"] = true })
		b.setTable(b.Self())
		a.uneasy.Store(true) // nobody answers its probes
		membershiptest.Within(t, "a has seen b's heartbeat change", 2*time.Second, func() bool { return a.census.seenLately(b.self.Boot) })
		time.Sleep(beatEvery) // until a's next rest
		// The client waits, or is sent to a, which it does not reach, and comes again.
		took := membershiptest.Within(t, "b holds it", 450*time.Millisecond, func() bool {
			h, err := b.keeper.Hold(t.Context(), p)
			return err == nil && h.Epoch == 2
		})
		t.Logf("after %s", took)
		membershiptest.Within(t, "word to a's sessions", time.Second, func() bool { return a.saw(fmt.Sprintf("released %d b", p)) })
		// Nor can b reach a's clients: a may not want it back for each of them.
		a.set(func() { a.deaf["b"] = true })
		a.setTable(a.Self())
		for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
			if _, err := a.keeper.Hold(t.Context(), p); err == nil {
				t.Fatalf("it went back after %s", time.Since(start))
			}
		}
	})
}

func TestDrainGivesEverythingToThoseWhoTakeIt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		a.set(func() { a.sessions, a.heard = 1, 1 })
		for p := range 40 {
			a.mustHold(p, 0)
		}
		b := w.start("b")
		var counts []int
		var last time.Time
		start := time.Now()
		moved := func(held int) {
			counts = append(counts, held)
			if gap := time.Since(last); len(counts) > 2 && gap < stopEvery {
				t.Errorf("%d moved %s after the one before: those who take over want the log at once", held, gap)
			}
			last = time.Now()
		}
		if err := a.keeper.Drain(t.Context(), moved); err != nil {
			t.Fatal(err)
		}
		if n := len(a.keeper.Held()); n != 0 || counts[len(counts)-1] != 0 {
			t.Errorf("it still holds %d; progress %v", n, counts)
		}
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("the drain took %s", took)
		}
		for p := range 40 {
			if h := b.mustHold(p, 0); h.Crashed {
				t.Errorf("%d was not handed over", p)
			}
		}
	})
}

// TestDrainEndsByItsDeadline though the others do not answer.
func TestDrainEndsByItsDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.start("a"), w.start("b")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		a.set(func() { a.deaf["b"] = true })
		start := time.Now()
		if err := a.keeper.Drain(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 7*time.Second || took > 9*time.Second {
			t.Errorf("the drain took %s", took)
		}
		if n := len(a.keeper.Held()); n != 0 {
			t.Errorf("it still holds %d", n)
		}
		b.mustHold(p, time.Second)
	})
}

// TestDrainTellsWhatItCouldNotGiveUp: the log does not answer, or not to a
// release. It ends in time all the same, and others take over once it is gone.
func TestDrainTellsWhatItCouldNotGiveUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		for p := range 3 {
			a.mustHold(p, 0)
		}
		b := w.start("b")
		a.log.Cut(true)
		start := time.Now()
		err := a.keeper.Drain(t.Context(), nil)
		if !errors.Is(err, errLogAway) || !strings.Contains(err.Error(), "held: 3") {
			t.Errorf("it holds %d and says %v", len(a.keeper.Held()), err)
		}
		if took := time.Since(start); took > 9*time.Second {
			t.Errorf("the drain took %s", took)
		}
		a.stop()
		b.lose(a)
		for p := range 3 {
			b.mustHold(p, 10*time.Second)
		}
	})
}

func TestNameBelongsToOneBoot(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		twin := w.boot("a")
		w.nodes["a"], w.nodes["twin"] = a, twin
		start := time.Now()
		err := twin.census.Enroll(t.Context())
		if err == nil || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("a twin of a living shard: %v", err)
		}
		if took := time.Since(start); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("it was refused after %s", took)
		}
		// The first one stands still, and is replaced: waking, it finds the newer.
		twin.lose(a)
		a.log.Cut(true)
		if err := twin.census.Enroll(t.Context()); err != nil {
			t.Fatalf("after the first one fell silent: %v", err)
		}
		a.log.Cut(false)
		<-a.censusEnded
		if !errors.Is(a.err, roomlog.ErrNameTaken) {
			t.Errorf("it ended with %v", a.err)
		}
	})
}
