package twin

import (
	"strings"
	"testing"
)

// TestPlantedDefectsAreCaught shows that the twin can fail: a log with a defect
// is found out within a few seeds, most by the invariant that it hurts.
func TestPlantedDefectsAreCaught(t *testing.T) {
	needsTime(t)
	for _, d := range allDefects {
		caught := false
		run(order{Defect: d}, 1, 40, func(o order, res *Result, err error) bool {
			if err != nil {
				t.Error(err)
				return false
			}
			if len(res.Breaches) > 0 {
				caught = true
				first, _, _ := strings.Cut(res.Breaches[0], "\n")
				t.Logf("%-20s seed %d, %d breaches listed: %.150s", d, res.Seed, len(res.Breaches), first)
			}
			return !caught
		})
		if !caught {
			t.Errorf("%s: not caught in 40 seeds", d)
		}
	}
}
