package ownership

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// everything is what can happen to three shards and their log.
const everything = freeze | kill | gossipCut | blackHole | cutLog | stallBeats | drain | join | loseAnswer | freezeInside | appends | duplicate | restart

// TestModelHolds searches all states of the protocol within bounds. PX_MODEL=big
// goes further: 14 million states, a minute and a half, some gigabytes.
func TestModelHolds(t *testing.T) {
	type bound struct {
		name  string
		model model
		limit int
	}
	bounds := []bound{
		{"one of everything", model{procs: 3, parts: 1, faults: everything, budget: 1, epochs: 5}, 200_000},
		{"one of everything, the third joins", model{procs: 3, parts: 1, off: 4, faults: everything, budget: 2, epochs: 3}, 2_000_000},
		{"a frozen shard and its next boot", model{procs: 4, parts: 1, off: 8, faults: freeze | restart, budget: 2, epochs: 3}, 500_000},
		{"two partitions", model{procs: 3, parts: 2, faults: freeze | drain | gossipCut | kill, budget: 1, epochs: 2}, 1_000_000},
	}
	if testing.Short() {
		bounds = bounds[:1]
	}
	if os.Getenv("PX_MODEL") == "big" {
		bounds = append(bounds,
			bound{"two of everything", model{procs: 3, parts: 1, faults: everything, budget: 2, epochs: 3}, 20_000_000},
		)
	}
	total, steps := 0, map[string]int{}
	for _, b := range bounds {
		t.Run(b.name, func(t *testing.T) {
			f := b.model.search(b.limit)
			t.Log(f)
			total += f.states
			for name, n := range f.steps {
				steps[name] += n
			}
			if f.broken != "" {
				t.Errorf("broken: %s, after %s", f.broken, strings.Join(f.trace, " "))
			}
			if f.states >= b.limit {
				t.Errorf("the bound holds more than %d states", b.limit)
			}
		})
	}
	t.Logf("%d states searched; steps %v", total, steps)
	for _, name := range []string{
		"use", "useEmpty", "proceed", "beat", "gap", "sayCut", "learn", "reread", "move", "leave", "serveWant", "unwant", "write", "arrive",
		"freeze", "thaw", "freezeInside", "kill", "gossipCut", "blackHole", "cutLog", "stallBeats", "heal", "drain", "loseAnswer", "duplicate",
	} {
		if steps[name] == 0 {
			t.Errorf("the step %q never happened", name)
		}
	}
}

// TestModelCatchesFallenDesigns puts back, one at a time, the designs that
// design.md lists as fallen, defects that the program once had, and mutations
// of the log: the model must break on each, and by what it broke on before.
func TestModelCatchesFallenDesigns(t *testing.T) {
	table := "\n| Fallen design | what it breaks | states searched | steps | s |\n|---|---|---|---|---|\n"
	for _, c := range []struct {
		name   string
		design design
		model  model
		broken string
	}{
		{"a file lock held as long as the partition", design{lockHeld: true}, model{faults: freeze, budget: 1}, unreachable},
		{"taken anyway from who does not answer", design{takeAnyway: true}, model{faults: gossipCut, budget: 1}, takesFromLiving},
		{"gone as dead in gossip alone", design{goneByGossip: true}, model{faults: gossipCut, budget: 1}, takesFromLiving},
		{"gone as silent alone", design{goneBySilence: true}, model{off: 4, faults: stallBeats | join, budget: 2}, takesFromLiving},
		{"gone only if gossip once saw it alive", design{goneIfSeen: true}, model{off: 4, faults: join | kill, budget: 2}, unreachable},
		{"learning by a refused append alone", design{noReread: true}, model{faults: freeze, budget: 1}, dishonest},
		{"expecting only on the owner's subject", design{ownerSubject: true}, model{faults: appends | duplicate, budget: 1}, twice},
		{"ending whom the owner record names", design{endNamed: true}, model{faults: freeze | freezeInside | appends, budget: 2}, endsInnocent},
		{"the younger of two equal names exits", design{youngerExits: true}, model{procs: 4, off: 8, faults: freeze | restart, budget: 2}, endsInnocent},
		{"acquiring when the table changes", design{acquireAll: true}, model{}, opensUnused},
		{"one roll entry per process", design{rollPerProcess: true}, model{off: 4, faults: kill, budget: 1}, unreachable},
		{"one roll file for all", design{rollInOneFile: true}, model{faults: freezeInside, budget: 1}, unreachable},
		{"released to nobody in particular", design{toNobody: true}, model{faults: drain, budget: 1}, orphaned},
		{"the next named without asking it", design{unasked: true}, model{faults: gossipCut, budget: 1, epochs: 6}, bounces},

		{"a heartbeat alone makes fresh", design{beatIsFresh: true}, model{faults: freeze, budget: 1}, dishonest},
		{"an acquire counts from its answer", design{timeOfAnswer: true}, model{faults: freeze, budget: 1}, dishonest},
		{"wants of the dead count", design{wantsOfDead: true}, model{faults: gossipCut | kill, budget: 2}, givesToDead},
		{"an acquire alone ends who stands still in a transaction", design{acquireForces: true}, model{faults: freeze | freezeInside | appends, budget: 2}, unreachable},
		{"wants reach holders alone", design{wantsOfHeld: true}, model{faults: blackHole | loseAnswer, budget: 2}, unreachable},
		{"wants count at once after a want", design{unsettled: true}, model{faults: gossipCut, budget: 1}, restless},

		{"no check of the epoch", design{skipFence: true}, model{faults: freeze | appends, budget: 1}, twoWriters},
		{"the epoch not raised", design{sameEpoch: true}, model{faults: freeze | appends, budget: 1}, twoWriters},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.model
			m.procs, m.parts, m.epochs, m.design = max(m.procs, 3), 1, max(m.epochs, 4), c.design
			f := m.search(2_000_000)
			if f.broken != c.broken {
				t.Fatalf("broken: %q, want %q; %s\n%s", f.broken, c.broken, f, strings.Join(f.trace, " "))
			}
			m.design = design{}
			if own := m.search(50_000); own.broken != "" {
				t.Errorf("and so is the protocol itself: %s after %s", own.broken, strings.Join(own.trace, " "))
			}
			t.Logf("%s: %d states, depth %d, %.3f s: %s", f.broken, f.states, f.depth, f.took.Seconds(), strings.Join(f.trace, " "))
			table += fmt.Sprintf("| %s | %s | %d | %d | %.2f |\n", c.name, f.broken, f.states, f.depth, f.took.Seconds())
		})
	}
	t.Log(table)
}
