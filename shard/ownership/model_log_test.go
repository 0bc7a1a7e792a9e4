package ownership

// Steps of operations on the log: what was decided is written later, when the
// world may be another; the answer comes later still.

// proceed takes i's operation one step on: to the log, or back from it.
func (m *model) proceed(s *mstate, i int) (changed bool, broken string) {
	o := s.op[i]
	p := int(o.part)
	if s.run[i] != isUp || o.kind == noOp {
		return false, ""
	}
	if o.kind == acquired {
		return true, m.finish(s, i)
	}
	if s.is(i, logCut) {
		s.op[i] = operation{} // refused
		return true, ""
	}
	if l := int(s.lock[p]); l != 0 && l != i+1 {
		if o.kind == acquiring || !m.design.acquireForces {
			if changed, broken := m.force(s, i, l-1, p); changed {
				return true, broken
			}
		}
		s.op[i] = operation{} // refused
		if o.kind == releasing && !s.owns(i, p) {
			s.drop(i, p)
		}
		return true, ""
	}
	if !m.design.lockHeld {
		s.lock[p] = 0
	}
	s.op[i] = operation{}
	r := &s.record[p]
	switch o.kind {
	case acquiring:
		if r.epoch != o.epoch || r.released != (o.flags&released != 0) {
			return true, ""
		}
		if s.used&(1<<p) == 0 {
			broken = opensUnused
		}
		m.depose(s, int(r.holder), p)
		next := ownerRecord{epoch: r.epoch + 1, holder: uint8(i)}
		if m.design.sameEpoch && r.epoch > 0 {
			next.epoch = r.epoch
		}
		*r = next
		s.op[i] = operation{kind: acquired, part: uint8(p), epoch: next.epoch, flags: o.flags}
		if m.design.lockHeld {
			s.lock[p] = uint8(i + 1)
		}
	case appending:
		if !m.design.skipFence && (r.epoch != o.epoch || r.released) {
			m.reread(s, i, p) // Fenced
			return true, ""
		}
		if int(r.holder) != i || r.epoch != o.epoch || o.epoch < s.wrote[p] {
			broken = twoWriters
		}
		s.wrote[p] = o.epoch
	case releasing:
		s.drop(i, p)
		if r.epoch != o.epoch || r.released || int(r.holder) != i {
			return true, ""
		}
		m.release(s, p, int(o.to))
		if t := int(o.to); o.flags&offered != 0 && t != nobody && s.run[t] == isUp && s.reach(i, t) && s.member(t).State == "active" && !s.is(t, logCut|saidCut) {
			if m.design.toNobody {
				r.next = nobody
			}
			if !m.hasTaker(s, p) {
				broken = orphaned
			}
		}
	}
	return true, broken
}

// depose notes that h's holding, or its acquire under way, is over, and whether
// h could know: who was silent for a second may not answer any more.
func (m *model) depose(s *mstate, h, p int) {
	if s.is(h, beats) {
		return
	}
	if s.holds[h][p] != 0 {
		s.bits[h][p] |= blind
	}
	if s.op[h].kind == acquired && int(s.op[h].part) == p {
		s.op[h].flags |= deposed
	}
}

// finish is the answer to an acquire.
func (m *model) finish(s *mstate, i int) (broken string) {
	o := s.op[i]
	p := int(o.part)
	s.op[i] = operation{}
	s.holds[i][p] = o.epoch
	s.bits[i][p] = 0 // what was wanted is there
	if o.flags&broke == 0 || m.design.timeOfAnswer {
		s.bits[i][p] |= clean
	}
	if o.flags&aged == 0 || m.design.timeOfAnswer {
		if o.flags&deposed != 0 && o.flags&aged != 0 {
			broken = dishonest // it answers the command that it acquired for, a second and more ago
		}
	}
	if m.design.beatIsFresh {
		s.bits[i][p] |= recent
	}
	if o.flags&deposed != 0 {
		s.bits[i][p] |= blind
	}
	if o.flags&settling != 0 {
		s.bits[i][p] |= settled
	}
	return broken
}

// force is Keeper.force: i's write waits for who stands still in its transaction.
func (m *model) force(s *mstate, i, l, p int) (changed bool, broken string) {
	if m.design.lockHeld {
		return false, "" // the lock says nothing of a transaction
	}
	victim := l
	if m.design.endNamed && s.record[p].epoch != 0 {
		victim = int(s.record[p].holder)
		if s.run[victim] == isDead {
			return false, ""
		}
		if s.run[victim] == isUp {
			broken = endsInnocent
		}
	} else if gone, _ := m.judge(s, i, victim); !gone || s.run[victim] == isDead {
		return false, ""
	}
	s.end(victim)
	return true, broken
}

// write is a message's append, which begins when i may answer.
func (m *model) write(s *mstate, i, p int) (changed bool) {
	if s.run[i] != isUp || s.op[i].kind != noOp || s.is(i, logCut) || !m.mayAnswer(s, i, p) && !s.owns(i, p) || s.holds[i][p] == 0 {
		return false
	}
	s.op[i] = operation{kind: appending, part: uint8(p), epoch: s.holds[i][p]}
	return true
}

// arrive is a late copy of an append that is in already. The log expects the
// last sequence of all that the partition's subject has, and that has moved.
func (m *model) arrive(s *mstate, p int) (changed bool, broken string) {
	if s.late[p] == 0 {
		return false, ""
	}
	if r := s.record[p]; m.design.ownerSubject && r.epoch == s.late[p]-1 && !r.released {
		broken = twice
	}
	s.late[p] = 0
	return true, broken
}
