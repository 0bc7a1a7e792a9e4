package ownership

import (
	"testing"
	"time"

	"positivity-exchange/membership/membershiptest"
)

// TestClockSetBack: machines start with clocks that are hours fast, and NTP sets
// them back.
func TestClockSetBack(t *testing.T) {
	t.Run("an owner goes on answering from memory", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			a := w.start("a")
			p := a.partitionOf(a)
			a.mustHold(p, 0)
			a.astray.Store(-int64(2 * time.Hour))
			for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
				if !a.keeper.Fresh(p, 1) {
					t.Fatalf("it reads its record again for each answer, %s after", time.Since(start))
				}
			}
		})
	})
	t.Run("who died before is found silent", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			a, b := w.start("a"), w.start("b")
			p := a.partitionOf(a)
			a.mustHold(p, 0)
			membershiptest.Within(t, "b has seen a's heartbeat", 2*time.Second, func() bool { return b.census.seenLately(a.self.Boot) })
			a.stop()
			membershiptest.Within(t, "b has read a's last heartbeat", 2*time.Second, func() bool { return !b.census.seenLately(a.self.Boot) })
			b.astray.Store(-int64(2 * time.Hour))
			b.lose(a)
			b.setTable(b.Self())
			membershiptest.Within(t, "b takes over", 3*time.Second, func() bool {
				_, err := b.keeper.Hold(t.Context(), p)
				return err == nil
			})
		})
	})
	t.Run("who cannot write says so", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			a := w.start("a")
			a.log.Cut(true)
			a.astray.Store(-int64(2 * time.Hour))
			membershiptest.Within(t, "a says it is cut", 4*time.Second, func() bool { return a.Self().Cut })
		})
	})
	t.Run("wants of others count after the minute", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			a, b := w.start("a"), w.start("b")
			p := a.partitionOf(a)
			a.mustHold(p, 0)
			a.keeper.slots[p].settled.Store(a.census.ran(a.census.now()) + int64(settledFor))
			a.astray.Store(-int64(2 * time.Hour))
			b.set(func() { b.deaf["a"] = true })
			b.setTable(b.Self())
			membershiptest.Within(t, "a gives it up", settledFor+5*time.Second, func() bool {
				_, err := b.keeper.Hold(t.Context(), p)
				return err == nil
			})
		})
	})
}

// TestMachineIsSuspended: its monotonic clock stands still meanwhile, and others
// may depose who sleeps. A heartbeat alone must not make it answer again.
func TestMachineIsSuspended(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		p := a.partitionOf(a)
		a.mustHold(p, 0)
		time.Sleep(beatEvery + beatEvery/4) // not in step
		was := a.census.lastBeat()
		a.astray.Store(int64(time.Hour))
		membershiptest.Within(t, "a reads its record again", 2*time.Second, func() bool {
			fresh, read := a.keeper.Fresh(p, 1), a.keeper.slots[p].checked.Load() > a.census.ran(moment{at: was})
			if fresh && !(read && a.census.lastBeat().After(was)) {
				t.Fatal("a would answer as if it had not slept")
			}
			return fresh
		})
	})
}
