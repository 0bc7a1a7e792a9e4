package faulttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Phase is a part of a schedule: episodes that begin at their times after its
// start. The next phase begins when all are over and the cluster has converged.
type Phase []Entry

// Entry is one episode to come.
type Entry struct {
	Nemesis string
	At      time.Duration
	Length  time.Duration
	Seed    uint64
}

func (e Entry) String() string {
	return fmt.Sprintf("%s at %s for %s", e.Nemesis, e.At.Round(time.Millisecond), e.Length.Round(time.Millisecond))
}

// Draw makes the schedule of a seed: phases that fill about the time given,
// each with one episode in the first half, two or three that overlap in the
// second. Nemeses are dealt like cards, so that each comes before one repeats.
func Draw(seed uint64, nemeses []Nemesis, length time.Duration) (phases []Phase) {
	r := rand.New(rand.NewPCG(seed, 0))
	var deck []Nemesis
	deal := func() Nemesis {
		if len(deck) == 0 {
			deck = slices.Clone(nemeses)
			r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		n := deck[0]
		deck = deck[1:]
		return n
	}
	entry := func(at time.Duration) Entry {
		n := deal()
		return Entry{n.Name, at, n.Least + time.Duration(r.Int64N(int64(n.Most-n.Least)+1)), r.Uint64()}
	}
	for total := time.Duration(0); total < length; {
		phase := Phase{entry(0)}
		if total >= length/2 {
			for range 1 + r.IntN(2) {
				phase = append(phase, entry(time.Duration(r.Int64N(int64(phase[0].Length)+1))))
			}
		}
		took := time.Duration(0)
		for _, e := range phase {
			took = max(took, e.At+e.Length)
		}
		total += took + between
		phases = append(phases, phase)
	}
	return phases
}

// Each makes a schedule in which the named nemeses come one after another,
// each with its least length.
func Each(seed uint64, names ...string) (phases []Phase) {
	r := rand.New(rand.NewPCG(seed, 0))
	for _, name := range names {
		n, err := named(name)
		if err != nil {
			panic(err) // a test that names none must not pass
		}
		phases = append(phases, Phase{{name, 0, n.Least, r.Uint64()}})
	}
	return phases
}

func named(name string) (Nemesis, error) {
	all := Nemeses()
	if i := slices.IndexFunc(all, func(n Nemesis) bool { return n.Name == name }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return Nemesis{}, fmt.Errorf("there is no nemesis %q; there are %s", name, strings.Join(names, ", "))
}

// between is the quiet time after a phase, for its pauses' base line.
const between = 3 * time.Second
