package ownership

import "fmt"

// fair brings states to rest: no more misfortune, what is broken stays broken,
// and everybody takes turns. Where the rounds stop changing anything, all that
// a client ever used must be owned and reachable.
type fair struct {
	m     *model
	known map[uint64]struct{} // come to a good rest
	count int
}

func (m *model) newFair() *fair { return &fair{m: m, known: map[uint64]struct{}{}} }

// maxRounds is more than anything needs to settle: who is not at rest after it
// never will be.
const maxRounds = 24

// from brings s to rest, and tells what is broken on the way or there.
func (f *fair) from(s mstate) (broken, where string) {
	s.faults, s.moves = 0, [maxParts]uint8{}
	var way []uint64
	for range maxRounds {
		h := hash(&s)
		if has(f.known, h) {
			f.keep(way)
			return "", ""
		}
		way = append(way, h)
		was := s
		if broken := f.m.round(&s); broken != "" {
			return broken, "fairly"
		}
		if s == was {
			if broken, where := f.m.served(&s); broken != "" {
				return broken, where
			}
			f.count++
			f.keep(way)
			return "", ""
		}
	}
	return restless, "fairly"
}

func (f *fair) keep(way []uint64) {
	for _, h := range way {
		f.known[h] = struct{}{}
	}
}

// round gives everybody a turn.
func (m *model) round(s *mstate) (broken string) {
	also := func(_ bool, b string) {
		if broken == "" {
			broken = b
		}
	}
	settle := func() {
		for range 3 {
			for i := range m.procs {
				also(m.proceed(s, i))
			}
		}
	}
	settle()
	for i := range m.procs {
		m.gap(s, i)
		m.sayCut(s, i)
		if s.run[i] == isUp {
			also(m.beat(s, i))
		}
	}
	for o := range m.procs {
		for i := range m.procs {
			m.learn(s, o, i)
		}
	}
	for p := range m.parts {
		also(m.arrive(s, p))
		for i := range m.procs {
			if !m.design.noReread {
				m.reread(s, i, p)
			}
			for o := range m.procs {
				gave, b := m.serveWant(s, i, o, p)
				also(gave, b)
				if gave {
					settle()
				}
			}
			if m.move(s, i, p) {
				settle()
			}
		}
	}
	for i := range m.procs {
		m.leave(s, i)
		for p := range m.parts {
			m.unwant(s, i, p)
		}
	}
	for p := range m.parts {
		if s.used&(1<<p) == 0 && !m.design.acquireAll {
			continue
		}
		for i := range m.procs {
			also(true, m.client(s, i, p, settle))
			if m.write(s, i, p) {
				settle()
			}
		}
	}
	s.moves = [maxParts]uint8{}
	return broken
}

// client comes to i for p, and goes where it is sent.
func (m *model) client(s *mstate, i, p int, settle func()) (broken string) {
	for range 4 {
		if s.run[i] != isUp || s.is(i, hole) {
			return broken
		}
		to, _, b := m.use(s, i, p, true)
		if b != "" && broken == "" {
			broken = b
		}
		settle()
		if to == nobody || to == i {
			return broken
		}
		i = to
	}
	return broken
}

// fit tells whether i can own a partition and serve it.
func (s *mstate) fit(i int) bool {
	return s.run[i] == isUp && !s.is(i, logCut|stalls|hole|draining)
}

// served tells whether each partition that was used is served, and found from everywhere.
func (m *model) served(s *mstate) (broken, where string) {
	any := false
	for i := range m.procs {
		any = any || s.fit(i)
		for p := range m.parts {
			if s.run[i] == isUp && !s.is(i, logCut) && s.holds[i][p] != 0 && !s.owns(i, p) {
				return dishonest, fmt.Sprintf("at rest(%d,%d)", i, p)
			}
		}
	}
	if !any {
		return "", ""
	}
	for p := range m.parts {
		if s.used&(1<<p) == 0 {
			continue
		}
		for i := range m.procs {
			if s.run[i] != isUp || s.is(i, hole|logCut) {
				continue
			}
			if o := m.walk(s, i, p); o == nobody || !s.owns(o, p) || s.lock[p] != 0 && int(s.lock[p]) != o+1 {
				return unreachable, fmt.Sprintf("at rest(%d,%d)", i, p)
			}
		}
	}
	return "", ""
}

// walk follows redirects for p from i to who serves it, or would acquire it now.
func (m *model) walk(s *mstate, i, p int) int {
	for range 4 {
		if i == nobody || s.run[i] != isUp || s.is(i, hole|logCut) {
			return nobody
		}
		if s.owns(i, p) {
			return i
		}
		action, where := decide(m.look(s, i, p))
		if action == acquire {
			return i
		}
		i = slotOf(where.Addr)
	}
	return nobody
}

// hasTaker tells whether a client can get p served without gossip's help.
func (m *model) hasTaker(s *mstate, p int) bool {
	for i := range m.procs {
		if m.walk(s, i, p) != nobody {
			return true
		}
	}
	return false
}
