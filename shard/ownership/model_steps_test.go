package ownership

// Steps change a state in place, tell whether they did anything, and what they
// broke. The search tries each on a copy; the fair schedule of
// model_fair_test.go applies them one after the other.

const (
	takesFromLiving = "takes from the living"
	twoWriters      = "one writer"
	dishonest       = "honest owner"
	endsInnocent    = "ends only whom it may"
	opensUnused     = "opens what is used"
	bounces         = "does not bounce"
	twice           = "once"
	givesToDead     = "gives to the living"
	orphaned        = "a release has a taker"
	unreachable     = "ends owned and reachable"
	restless        = "comes to rest"
)

// use is a client's command at i for p: Keeper.Hold up to its first write.
// empty: nobody is in the rooms of a holder that is asked to yield. to is where
// the client is sent, nobody if it has to wait.
func (m *model) use(s *mstate, i, p int, empty bool) (to int, changed bool, broken string) {
	to = nobody
	if s.run[i] != isUp || s.holds[i][p] != 0 || s.op[i].kind != noOp || s.is(i, logCut) {
		return to, false, ""
	}
	before := *s
	if !m.design.acquireAll {
		s.used |= 1 << p
	}
	v := m.look(s, i, p)
	r := s.record[p]
	h := int(r.holder)
	action, where := decide(v)
	if where.Addr != "" {
		to = slotOf(where.Addr)
	}
	take := func() {
		if r.epoch != 0 && !r.released && h != i && s.run[h] == isUp && !s.is(h, logCut|saidCut) && (s.is(h, beats) || s.alive(i, h)) {
			broken = takesFromLiving
		}
		s.op[i] = operation{kind: acquiring, part: uint8(p), epoch: r.epoch}
		if r.released {
			s.op[i].flags |= released
		}
		if settles(v, s.bit(i, p, wants)) {
			s.op[i].flags |= settling
		}
		to = i
	}
	switch action {
	case acquire:
		take()
	case letGo:
		m.release(s, p, to)
	case ask:
		switch {
		case s.reach(i, h):
			m.yield(s, h, i, p, empty)
		case m.design.takeAnyway:
			take()
		default:
			s.bits[i][p] |= wants
			if !s.is(h, beats) {
				to = nobody
			}
		}
	}
	return to, *s != before, broken
}

// yield is Keeper.Yield at h, asked by i.
func (m *model) yield(s *mstate, h, i, p int, empty bool) {
	if s.op[h].kind != noOp {
		return // its turn is taken: the answer is late
	}
	sessions := 1
	if empty {
		sessions = 0
	}
	switch {
	case s.holds[h][p] == 0:
		m.letGo(s, h, i, p)
	case answerYield(m.table(s, h, p) == h, sessions) == giveNow:
		s.op[h] = operation{kind: releasing, part: uint8(p), epoch: s.holds[h][p], to: uint8(i), flags: offered}
	}
}

// letGo is Keeper.letGo at h: the record names it, which does not serve.
func (m *model) letGo(s *mstate, h, to, p int) (changed bool) {
	if !s.names(h, p, s.record[p].epoch) || s.record[p].epoch == 0 || s.is(h, logCut) || s.lock[p] != 0 && int(s.lock[p]) != h+1 {
		return false
	}
	m.release(s, p, to)
	return true
}

func (m *model) release(s *mstate, p, to int) {
	s.record[p].released, s.record[p].next = true, uint8(to)
	s.moves[p]++
	if m.design.lockHeld {
		s.lock[p] = 0
	}
}

// reread is Keeper.recheck.
func (m *model) reread(s *mstate, i, p int) (changed bool) {
	if s.run[i] != isUp || s.holds[i][p] == 0 || s.is(i, logCut) || s.op[i].kind == releasing {
		return false
	}
	if !s.owns(i, p) {
		s.drop(i, p)
		return true
	}
	was := s.bits[i][p]
	s.bits[i][p] |= clean
	if m.design.beatIsFresh {
		s.bits[i][p] |= recent
	}
	return s.bits[i][p] != was
}

// gap is a second without a heartbeat of i.
func (m *model) gap(s *mstate, i int) (changed bool) {
	if s.run[i] != isUp && s.run[i] != isFrozen || !s.is(i, beats) || m.canBeat(s, i) {
		return false
	}
	s.clear(i, beats)
	if s.op[i].kind != noOp {
		s.op[i].flags |= aged
	}
	for p := range m.parts {
		s.bits[i][p] &^= recent
	}
	return true
}

// beat is Census.beat, and the end of `cut` that follows a success.
func (m *model) beat(s *mstate, i int) (changed bool, broken string) {
	if !m.canBeat(s, i) {
		return false, ""
	}
	if twin := 3 - i; m.procs > 3 && (i == 0 || i == 3) && s.is(twin, listed) && s.run[twin] != isOff {
		if m.design.youngerExits && i == 3 && s.run[0] == isUp && s.is(0, beats) {
			if s.is(i, beats) {
				broken = endsInnocent
			}
			s.end(i)
			return true, broken
		}
		if i == 0 && !m.design.youngerExits {
			s.end(i)
			return true, ""
		}
	}
	if !s.is(i, listed) {
		s.end(i)
		return true, ""
	}
	if s.is(i, beats) && !s.is(i, saidCut) {
		return false, ""
	}
	if !s.is(i, beats) {
		for p := range m.parts {
			s.bits[i][p] &^= clean
		}
		if s.op[i].kind != noOp {
			s.op[i].flags |= broke
		}
	}
	s.set(i, beats)
	s.clear(i, saidCut)
	return true, ""
}

// sayCut is an owner whose heartbeats have failed for two seconds.
func (m *model) sayCut(s *mstate, i int) (changed bool) {
	if s.run[i] != isUp || s.is(i, beats|saidCut) || m.canBeat(s, i) {
		return false
	}
	s.set(i, saidCut)
	return true
}

// learn is gossip's word, or a refused connection's, of i reaching o.
func (m *model) learn(s *mstate, o, i int) (changed bool) {
	if o == i || s.run[o] != isUp {
		return false
	}
	sees := uint8(seesDead)
	if s.run[i] == isUp && s.path(o, i) {
		switch {
		case s.is(i, saidCut):
			sees = seesCut
		case s.is(i, draining):
			sees = seesDraining
		default:
			sees = seesActive
		}
	}
	if s.sees[o][i] == sees {
		return false
	}
	s.sees[o][i] = sees
	if m.design.goneIfSeen && sees != seesDead {
		s.ever[o] |= 1 << i
	}
	s.moves = [maxParts]uint8{}
	return true
}

// move gives up what i's table gives to another, and all if i drains. late: the
// drain's deadline is over, the next cannot be asked.
func (m *model) move(s *mstate, i, p int) (changed bool) {
	if s.run[i] != isUp || s.holds[i][p] == 0 || s.op[i].kind != noOp || s.is(i, logCut) {
		return false
	}
	to := m.table(s, i, p)
	if to == i {
		return false
	}
	drains := s.is(i, draining)
	if !drains && !movesAway(s.member(i)) {
		return false
	}
	agreed := to != nobody && s.reach(i, to) && takesOffer(s.member(to), drains, m.table(s, to, p) == to)
	if !agreed && !drains && !(m.design.unasked && to != nobody) {
		return false
	}
	s.op[i] = operation{kind: releasing, part: uint8(p), epoch: s.holds[i][p], to: uint8(to)}
	if agreed {
		s.op[i].flags = offered
	}
	return true
}

// leave is the end of a drain; who cannot reach the log leaves what it holds.
func (m *model) leave(s *mstate, i int) (changed bool) {
	if s.run[i] != isUp || !s.is(i, draining) || s.op[i].kind != noOp {
		return false
	}
	if s.holds[i] != [maxParts]uint8{} && !s.is(i, logCut) {
		return false
	}
	s.end(i)
	if !s.is(i, logCut) {
		s.clear(i, listed)
		s.bits[i] = [maxParts]uint8{}
	}
	return true
}

// serveWant gives p up to o, who wants it; p's sessions have been quiet for two
// seconds, within which gossip has told both who is out of whose reach.
func (m *model) serveWant(s *mstate, i, o, p int) (changed bool, broken string) {
	if i == o || s.run[i] != isUp || s.op[i].kind != noOp || s.is(i, logCut) || !s.is(o, listed) || !s.bit(o, p, wants) {
		return false, ""
	}
	if !servesWant(s.is(o, beats) || m.design.wantsOfDead, s.bit(i, p, settled) && !m.design.unsettled, 0) {
		return false, ""
	}
	if s.run[o] == isUp && s.path(i, o) != (s.alive(i, o) || s.sees[i][o] == seesCut) || s.path(i, o) != (s.alive(o, i) || s.sees[o][i] == seesCut) {
		return false, ""
	}
	if s.holds[i][p] == 0 {
		return !m.design.wantsOfHeld && m.letGo(s, i, o, p), ""
	}
	s.op[i] = operation{kind: releasing, part: uint8(p), epoch: s.holds[i][p], to: uint8(o)}
	if s.run[o] == isDead {
		broken = givesToDead
	}
	return true, broken
}

// unwant is a want that was not renewed.
func (m *model) unwant(s *mstate, i, p int) (changed bool) {
	if s.run[i] != isUp || s.is(i, logCut) || !s.bit(i, p, wants) {
		return false
	}
	s.bits[i][p] &^= wants
	return true
}
