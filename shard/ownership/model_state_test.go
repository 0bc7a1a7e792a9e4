package ownership

import (
	"time"

	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

// The state model of the ownership protocol: three shards, a second boot of the
// first, one or two partitions, and everything that can happen to them. The
// decisions are those of decide.go and rules.go; the model adds what reading,
// writing, waiting and the world do in between. Time is abstract: a step "gap"
// says that a second went by without a heartbeat.

const (
	maxProcs = 4 // shards a, b, c, and a's second boot
	maxParts = 2
	nobody   = 9
)

// Whether a process runs.
const (
	isOff = iota // not started yet
	isUp
	isFrozen
	isDead
)

// Flags of a process.
const (
	draining = 1 << iota
	listed   // on the roll
	saidCut  // says `cut` in its gossip
	beats    // its last successful heartbeat is less than a second old
	logCut   // cannot reach the room log
	apart    // gossip and member connections to and from it are cut
	hole     // and no client reaches it either
	stalls   // its heartbeats alone do not reach the roll
	rollLock // frozen inside its heartbeat (matters with one roll file for all)
)

// Bits of a process and a partition.
const (
	clean   = 1 << iota // the record was read, and ours, since the heartbeats are unbroken
	blind               // deposed when it had been silent, so that it could not know
	settled             // it came by a want
	wants               // the process's entry on the roll wants it
	recent              // the record was read within a second (a fallen design asks)
)

// What a member is for another's gossip.
const (
	seesDead = iota
	seesActive
	seesDraining
	seesCut
)

// Operations on the log that are under way.
const (
	noOp = iota
	acquiring
	acquired // in the log, the answer on its way
	appending
	releasing
)

// Flags of operations.
const (
	aged     = 1 << iota // a second without a heartbeat went by since it began
	broke                // the heartbeats began anew since it began
	deposed              // another acquired over the one whose answer is on its way
	released             // the record was released when looked at
	settling             // it shall stay for a while
	offered              // the next agreed
)

type operation struct{ kind, part, epoch, to, flags uint8 }

// ownerRecord is roomlog.Owner with numbers for names.
type ownerRecord struct {
	epoch, holder, next uint8
	released            bool
}

// mstate is one state of the model: a comparable value, the key of the search.
type mstate struct {
	run    [maxProcs]uint8
	flags  [maxProcs]uint16
	sees   [maxProcs][maxProcs]uint8 // row: who sees
	ever   [maxProcs]uint8           // whom it ever saw alive; kept if the design asks
	holds  [maxProcs][maxParts]uint8 // epoch it believes to hold, 0: none
	bits   [maxProcs][maxParts]uint8
	op     [maxProcs]operation
	record [maxParts]ownerRecord
	wrote  [maxParts]uint8 // epoch of the newest record of a room
	lock   [maxParts]uint8 // 1 + who stands still inside its transaction
	late   [maxParts]uint8 // 1 + epoch of an append's copy still on the wire
	moves  [maxParts]uint8 // releases since anything else happened
	used   uint8           // partitions a client has used
	faults uint8
}

func (s *mstate) is(i int, f uint16) bool    { return s.flags[i]&f != 0 }
func (s *mstate) set(i int, f uint16)        { s.flags[i] |= f }
func (s *mstate) clear(i int, f uint16)      { s.flags[i] &^= f }
func (s *mstate) bit(i, p int, b uint8) bool { return s.bits[i][p]&b != 0 }
func (s *mstate) path(a, b int) bool         { return !s.is(a, apart) && !s.is(b, apart) }
func (s *mstate) reach(a, b int) bool        { return s.run[a] == isUp && s.run[b] == isUp && s.path(a, b) }
func (s *mstate) alive(o, i int) bool {
	return o == i || s.sees[o][i] == seesActive || s.sees[o][i] == seesDraining
}
func (s *mstate) owns(i, p int) bool { return s.holds[i][p] != 0 && s.names(i, p, s.holds[i][p]) }
func (s *mstate) names(i, p int, e uint8) bool {
	r := s.record[p]
	return int(r.holder) == i && r.epoch == e && !r.released
}

// end is the end of a process: what it held in memory is gone, its entry stays.
func (s *mstate) end(i int) {
	s.run[i] = isDead
	s.clear(i, beats|rollLock)
	s.op[i] = operation{}
	for p := range maxParts {
		s.holds[i][p] = 0
		s.bits[i][p] &= wants
		if int(s.lock[p]) == i+1 {
			s.lock[p] = 0
		}
	}
}

// drop forgets a holding.
func (s *mstate) drop(i, p int) {
	s.holds[i][p] = 0
	s.bits[i][p] &= wants
}

// design switches fallen designs, and defects, back on. The zero value is the protocol.
type design struct {
	lockHeld       bool // a file lock held as long as the partition
	takeAnyway     bool // take from whoever does not answer
	goneByGossip   bool // gone is dead for gossip alone
	goneBySilence  bool // gone is silent alone
	goneIfSeen     bool // gone only for those whom gossip saw alive once
	noReread       bool // learn of one's deposing by a refused append alone
	ownerSubject   bool // expect the owner record's last sequence only
	endNamed       bool // end the process that the owner record names
	youngerExits   bool // of two equal names the younger exits
	acquireAll     bool // acquire when the table changes
	rollPerProcess bool // one roll entry for the shards of one process
	rollInOneFile  bool // one roll file for all
	toNobody       bool // release to nobody in particular
	unasked        bool // name the next without asking it
	unsettled      bool // wants count at once after a want
	skipFence      bool // append without a check of the epoch
	sameEpoch      bool // acquire without raising the epoch
	beatIsFresh    bool // a heartbeat makes fresh, whatever was before it
	timeOfAnswer   bool // an acquire counts from its answer
	wantsOfDead    bool // wants of the dead count
	acquireForces  bool // an acquire alone ends who stands still in a transaction
	wantsOfHeld    bool // wants reach holders alone, not whom the record names
}

// model is one search: who takes part, what may happen, how often.
type model struct {
	procs, parts int
	off          uint8 // processes that are not there at first
	faults       fault // kinds that may happen
	budget       int   // how many of them
	epochs       uint8 // acquisitions of a partition that are followed
	design       design
}

type fault uint32

// Kinds of faults.
const (
	freeze fault = 1 << iota
	kill
	gossipCut
	blackHole
	cutLog
	stallBeats
	drain
	join
	restart
	loseAnswer
	freezeInside
	appends // not a fault: writers write
	duplicate
)

var (
	procName = [maxProcs]string{"a", "b", "c", "a"}
	procBoot = [maxProcs]string{"1a", "1b", "1c", "2a"}
	procAddr = [maxProcs]string{"a:1", "b:1", "c:1", "a:2"}
)

func slotOf(addr string) int {
	for i, a := range procAddr {
		if a == addr {
			return i
		}
	}
	return nobody
}

// member is i as it presents itself.
func (s *mstate) member(i int) membership.Member {
	m := membership.Member{Name: procName[i], Boot: procBoot[i], Client: procAddr[i], State: membership.StateActive, Cut: s.is(i, saidCut)}
	if s.is(i, draining) {
		m.State = membership.StateDraining
	}
	return m
}

// start is the state before anything happened.
func (m *model) start() mstate {
	var s mstate
	for i := range m.procs {
		if m.off&(1<<i) != 0 {
			continue
		}
		s.run[i], s.flags[i] = isUp, listed|beats
		for o := range m.procs {
			if o != i && m.off&(1<<o) == 0 {
				s.sees[o][i] = seesActive
				s.ever[o] |= 1 << i
			}
		}
	}
	return s
}

// table is whom o's table gives p to. Which of a list it is follows no order,
// so that tables of different lists may disagree in circles, as those of
// bounded loads may.
func (m *model) table(s *mstate, o, p int) int {
	list := func(cut bool) (mask int) {
		for i := range m.procs {
			in := s.sees[o][i] == seesActive
			if cut {
				in = s.sees[o][i] == seesCut
			}
			if i == o {
				in = !s.is(o, draining) && s.is(o, saidCut) == cut
			}
			if in {
				mask |= 1 << i
			}
		}
		if mask&8 != 0 {
			mask &^= 1 // of two boots of one name the newest counts
		}
		return mask
	}
	mask := list(false)
	if mask == 0 {
		mask = list(true)
	}
	var members [maxProcs]int
	n, byName := 0, mask&7|mask>>3
	for i := range m.procs {
		if mask&(1<<i) != 0 {
			members[n], n = i, n+1
		}
	}
	if n == 0 {
		return nobody
	}
	return members[(byName+p+1)%n]
}

// canBeat tells whether i's heartbeats reach the roll.
func (m *model) canBeat(s *mstate, i int) bool {
	if m.design.rollInOneFile {
		for j := range m.procs {
			if s.is(j, rollLock) {
				return false
			}
		}
	}
	return s.run[i] == isUp && !s.is(i, logCut) && !s.is(i, stalls)
}

// judge is what o knows of h: rules.go's words on what gossip and roll say.
func (m *model) judge(s *mstate, o, h int) (gone, quiet bool) {
	silent := !s.is(h, beats)
	if m.design.rollPerProcess && h < 2 && m.canBeat(s, 1-h) {
		silent = false // a and b live in one process, which beats
	}
	alive := s.alive(o, h)
	gone, quiet = judgeHolder(alive, s.is(h, listed), silent && s.is(o, beats), silent)
	switch d := &m.design; {
	case d.goneByGossip:
		gone = !alive
	case d.goneBySilence:
		gone = silent && s.is(o, beats)
	case d.goneIfSeen:
		gone = gone && s.ever[o]&(1<<h) != 0
	}
	return gone, quiet
}

// look is Keeper.look.
func (m *model) look(s *mstate, i, p int) view {
	v := view{self: s.member(i)}
	if t := m.table(s, i, p); t != nobody {
		v.table = s.member(t)
	}
	r := s.record[p]
	if r.epoch == 0 {
		return v
	}
	h := int(r.holder)
	v.record = roomlog.Owner{Epoch: uint64(r.epoch), Name: procName[h], Boot: procBoot[h], Addr: procAddr[h], Released: r.released}
	if !r.released && h != i {
		v.gone, v.quiet = m.judge(s, i, h)
	}
	v.lastDead = r.released && h != i && !s.alive(i, h)
	if r.released && r.next != nobody {
		v.record.NextName, v.record.NextAddr = procName[r.next], procAddr[r.next]
		for j := range m.procs {
			if procName[j] == procName[r.next] && j != i && s.sees[i][j] == seesActive {
				v.next = membership.Member{Name: procName[j], Boot: procBoot[j], Client: procAddr[j], State: membership.StateActive}
			}
		}
	}
	return v
}

// mayAnswer is whether i would answer for p from memory.
func (m *model) mayAnswer(s *mstate, i, p int) bool {
	if s.run[i] != isUp || s.holds[i][p] == 0 {
		return false
	}
	if m.design.beatIsFresh {
		return s.is(i, beats) || s.bit(i, p, recent)
	}
	if m.design.noReread {
		return true
	}
	const unbroken = 90e9
	sinceBeat, checked := 2*time.Second, int64(unbroken-1e9)
	if s.is(i, beats) {
		sinceBeat = 100 * time.Millisecond
	}
	if s.bit(i, p, clean) {
		checked = unbroken + 1e9
	}
	return mayAnswer(sinceBeat, unbroken, checked)
}
