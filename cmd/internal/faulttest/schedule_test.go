package faulttest

import (
	"reflect"
	"testing"
	"time"
)

func TestASeedReplaysItsSchedule(t *testing.T) {
	one, two := Draw(7, Nemeses(), 20*time.Minute), Draw(7, Nemeses(), 20*time.Minute)
	if !reflect.DeepEqual(one, two) {
		t.Error("the same seed draws another schedule")
	}
	if reflect.DeepEqual(one, Draw(8, Nemeses(), 20*time.Minute)) {
		t.Error("another seed draws the same schedule")
	}
}

func TestAScheduleHasEveryNemesisAndOverlapsInItsSecondHalf(t *testing.T) {
	phases := Draw(1, Nemeses(), 20*time.Minute)
	seen := map[string]bool{}
	overlaps := 0
	for i, phase := range phases {
		for _, e := range phase {
			n, err := named(e.Nemesis)
			if err != nil {
				t.Fatal(err)
			}
			if e.Length < n.Least || e.Length > n.Most {
				t.Errorf("%s has a length outside %s to %s", e, n.Least, n.Most)
			}
			seen[e.Nemesis] = true
		}
		if len(phase) > 1 {
			overlaps++
			if i < len(phases)/4 {
				t.Errorf("phase %d of %d overlaps: %v", i, len(phases), phase)
			}
		}
	}
	if len(seen) != len(Nemeses()) || overlaps == 0 {
		t.Errorf("%d nemeses of %d, %d phases that overlap", len(seen), len(Nemeses()), overlaps)
	}
}

func TestNemesesAreWellMade(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range Nemeses() {
		if seen[n.Name] || n.Run == nil || n.Least <= 0 || n.Most < n.Least {
			t.Errorf("%+v", n)
		}
		seen[n.Name] = true
	}
	if _, err := named("no such"); err == nil {
		t.Error("an unknown name is known")
	}
}
