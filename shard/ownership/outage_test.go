package ownership

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"positivity-exchange/membership/membershiptest"
)

// TestOutageIsToldOnce: a log that is away is asked again all the time, by
// everybody who waits for it. A person is told when that begins and when it is over.
func TestOutageIsToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a := w.start("a")
		const held, unused = 3, 4
		a.mustHold(held, 0)
		for outage := 1; outage <= 2; outage++ {
			a.log.Cut(true)
			for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(20 * time.Millisecond) {
				if h, err := a.keeper.Hold(t.Context(), unused); err == nil {
					t.Fatalf("it took %+v without its log", h)
				}
				a.keeper.Hold(t.Context(), held) //nolint:errcheck // may be answered for a second
			}
			// Of the heartbeats, which have other consequences, and of the partitions.
			if lines := a.said(slog.LevelWarn); len(lines) != 2*outage {
				t.Fatalf("outage %d: %d warnings, want %d:\n%s", outage, len(lines), 2*outage, strings.Join(lines[:min(len(lines), 9)], ""))
			}
			a.log.Cut(false)
			membershiptest.Within(t, "it is told that both are over", 10*time.Second, func() bool {
				over := 0
				for _, line := range a.said(slog.LevelInfo) {
					if strings.Contains(line, "again") {
						over++
					}
				}
				return over == 2*outage
			})
		}
	})
}
