package ownership

import (
	"fmt"
	"hash/maphash"
	"time"
)

// step names a step of the model and whom it concerns.
type step struct {
	name string
	i, p int
}

func (a step) String() string { return fmt.Sprintf("%s(%d,%d)", a.name, a.i, a.p) }

// next calls emit for each state that one step leads to.
func (m *model) next(from *mstate, emit func(a step, to *mstate, broken string)) {
	var to mstate
	try := func(name string, i, p int, do func() (changed bool, broken string)) {
		to = *from
		if changed, broken := do(); changed || broken != "" {
			emit(step{name, i, p}, &to, broken)
		}
	}
	quiet := func(changed bool) (bool, string) { return changed, "" }
	m.misfortunes(from, try, &to)
	for i := range m.procs {
		if from.run[i] == isOff || from.run[i] == isDead {
			continue
		}
		try("gap", i, 0, func() (bool, string) { return quiet(m.gap(&to, i)) })
		try("thaw", i, 0, func() (bool, string) { return quiet(m.thaw(&to, i)) })
		if from.run[i] == isFrozen {
			continue
		}
		try("heal", i, 0, func() (bool, string) { return quiet(m.heal(&to, i)) })
		try("proceed", i, int(from.op[i].part), func() (bool, string) { return m.proceed(&to, i) })
		try("beat", i, 0, func() (bool, string) { return m.beat(&to, i) })
		try("sayCut", i, 0, func() (bool, string) { return quiet(m.sayCut(&to, i)) })
		try("leave", i, 0, func() (bool, string) { return quiet(m.leave(&to, i)) })
		for j := range m.procs {
			try("learn", i, j, func() (bool, string) { return quiet(m.learn(&to, i, j)) })
		}
		for p := range m.parts {
			for _, empty := range []bool{true, false} {
				if from.is(i, hole) {
					break // no client comes
				}
				name := "use"
				if empty {
					name = "useEmpty"
				}
				try(name, i, p, func() (bool, string) {
					_, changed, broken := m.use(&to, i, p, empty)
					return changed, broken
				})
				if !from.names(int(from.record[p].holder), p, from.record[p].epoch) {
					break // nobody is asked
				}
			}
			if !m.design.noReread {
				try("reread", i, p, func() (bool, string) { return quiet(m.reread(&to, i, p)) })
			}
			try("move", i, p, func() (bool, string) { return quiet(m.move(&to, i, p)) })
			try("unwant", i, p, func() (bool, string) { return quiet(m.unwant(&to, i, p)) })
			for o := range m.procs {
				try("serveWant", i, p, func() (bool, string) { return m.serveWant(&to, i, o, p) })
			}
			if m.faults&appends != 0 {
				try("write", i, p, func() (bool, string) { return quiet(m.write(&to, i, p)) })
			}
		}
	}
	for p := range m.parts {
		try("arrive", 0, p, func() (bool, string) { return m.arrive(&to, p) })
	}
}

// misfortunes tries what costs of the budget.
func (m *model) misfortunes(from *mstate, try func(string, int, int, func() (bool, string)), to *mstate) {
	if int(from.faults) >= m.budget {
		return
	}
	happen := func(kind fault, name string, i int, can bool, do func()) {
		if m.faults&kind == 0 || !can {
			return
		}
		try(name, i, 0, func() (bool, string) {
			do()
			to.faults++
			to.later(m)
			return true, ""
		})
	}
	for i := range m.procs {
		runs := from.run[i] == isUp
		o := from.op[i]
		p := int(o.part)
		happen(freeze, "freeze", i, runs, func() { to.run[i] = isFrozen })
		happen(freezeInside, "freezeInside", i, runs && (o.kind == acquiring || o.kind == appending) && from.lock[p] == 0 && !from.is(i, logCut), func() {
			to.run[i], to.lock[p] = isFrozen, uint8(i+1)
		})
		happen(freezeInside, "freezeInBeat", i, runs && m.design.rollInOneFile, func() { to.run[i] = isFrozen; to.set(i, rollLock) })
		happen(kill, "kill", i, runs || from.run[i] == isFrozen, func() { to.end(i) })
		happen(gossipCut, "gossipCut", i, runs && !from.is(i, apart), func() { to.set(i, apart) })
		happen(blackHole, "blackHole", i, runs && !from.is(i, apart), func() { to.set(i, apart|hole) })
		happen(cutLog, "cutLog", i, runs && !from.is(i, logCut), func() { to.set(i, logCut) })
		happen(stallBeats, "stallBeats", i, runs && !from.is(i, stalls), func() { to.set(i, stalls) })
		happen(drain, "drain", i, runs && !from.is(i, draining), func() { to.set(i, draining) })
		happen(join, "join", i, i < 3 && from.run[i] == isOff, func() { m.enter(to, i) })
		happen(restart, "restart", i, i == 3 && from.run[i] == isOff && from.run[0] != isUp && !from.is(0, beats), func() {
			m.enter(to, i)
			if !m.design.youngerExits {
				to.clear(0, listed) // Enroll strikes the entries of the gone
			}
		})
		happen(loseAnswer, "loseAnswer", i, runs && o.kind == acquired, func() { to.op[i] = operation{} })
		happen(duplicate, "duplicate", i, runs && o.kind == appending && from.names(i, p, o.epoch), func() {
			if _, broken := m.proceed(to, i); broken == "" {
				to.late[p] = 1 + o.epoch
			}
		})
	}
}

// later: the world changes more slowly than what is settled, and what a living
// shard wants, lasts.
func (s *mstate) later(m *model) {
	s.moves = [maxParts]uint8{}
	for i := range m.procs {
		for p := range m.parts {
			s.bits[i][p] &^= settled
			if s.run[i] == isUp {
				s.bits[i][p] &^= wants
			}
		}
		s.op[i].flags &^= settling
	}
}

// enter starts a process, which knows after its first exchange who is there.
func (m *model) enter(s *mstate, i int) {
	s.run[i] = isUp
	s.flags[i] = listed | beats
	for j := range m.procs {
		m.learn(s, i, j)
	}
}

func (m *model) thaw(s *mstate, i int) bool {
	if s.run[i] != isFrozen {
		return false
	}
	s.run[i] = isUp
	s.clear(i, rollLock)
	s.later(m)
	return true
}

func (m *model) heal(s *mstate, i int) bool {
	if !s.is(i, logCut|apart|hole|stalls) {
		return false
	}
	s.clear(i, logCut|apart|hole|stalls)
	s.later(m)
	return true
}

// found is what a search found.
type found struct {
	states, rests int
	depth         int
	steps         map[string]int // how often each led somewhere
	broken        string
	trace         []string
	took          time.Duration
}

// search goes through all states within the bounds, nearest first, until
// something is broken, or limit states are reached.
func (m *model) search(limit int) found {
	type node struct {
		parent int32
		depth  int16
		i, p   int8
		name   string
	}
	begin := time.Now()
	states, nodes := []mstate{m.start()}, []node{{parent: -1}}
	index := map[uint64]struct{}{hash(&states[0]): {}}
	f := found{steps: map[string]int{}}
	rests := m.newFair()
	fail := func(at int32, last, broken string) {
		f.broken, f.depth = broken, int(nodes[at].depth)+1
		f.trace = []string{last}
		for n := at; nodes[n].parent >= 0; n = nodes[n].parent {
			f.trace = append([]string{step{nodes[n].name, int(nodes[n].i), int(nodes[n].p)}.String()}, f.trace...)
		}
	}
	for at := int32(0); int(at) < len(states) && f.broken == "" && len(states) < limit; at++ {
		s := states[at]
		f.depth = int(nodes[at].depth)
		if broken, last := rests.from(s); broken != "" {
			fail(at, last, broken)
			break
		}
		if s.record[0].epoch >= m.epochs || s.record[1].epoch >= m.epochs {
			continue
		}
		m.next(&s, func(a step, to *mstate, broken string) {
			if f.broken != "" {
				return
			}
			f.steps[a.name]++
			if broken == "" {
				broken = m.check(to)
			}
			if broken != "" {
				fail(at, a.String(), broken)
				return
			}
			if h := hash(to); !has(index, h) {
				index[h] = struct{}{}
				states = append(states, *to)
				nodes = append(nodes, node{at, nodes[at].depth + 1, int8(a.i), int8(a.p), a.name})
			}
		})
	}
	f.states, f.rests, f.took = len(states), rests.count, time.Since(begin)
	return f
}

// States are known by 64 bits of hash: among 10 million the chance that two
// share them is 1 in 400,000.
var seed = maphash.MakeSeed()

func hash(s *mstate) uint64 { return maphash.Comparable(seed, *s) }

func has(known map[uint64]struct{}, h uint64) bool { _, ok := known[h]; return ok }

// check is what must hold in each state.
func (m *model) check(s *mstate) string {
	for p := range m.parts {
		for i := range m.procs {
			if s.bit(i, p, blind) && !s.owns(i, p) && m.mayAnswer(s, i, p) {
				return dishonest
			}
		}
		if s.moves[p] > 3 {
			return bounces
		}
	}
	return ""
}

func (f found) String() string {
	return fmt.Sprintf("%d states, depth %d, %d ways to rest, %.2f s", f.states, f.depth, f.rests, f.took.Seconds())
}
