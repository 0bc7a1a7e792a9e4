package ownership

import (
	"time"

	"positivity-exchange/membership"
)

// The rules below, with decide, are all of the protocol that is not reading,
// writing and waiting. They are pure: the state model of the tests searches
// through these very functions.

// judgeHolder tells whether a holder is gone (dead for gossip and silent on the
// roll) and whether it stands still at least, so that it answers nobody.
// listed: it is on the roll; silent: its heartbeat did not change while one of
// our own succeeded; still: it did not change.
func judgeHolder(alive, listed, silent, still bool) (gone, quiet bool) {
	if !listed {
		return !alive, !alive
	}
	return !alive && silent, still
}

// mayAnswer tells whether an owner may answer without reading its record again.
// sinceBeat is how long ago its last successful heartbeat began. The others are
// monotonic nanoseconds: unbroken is the start of the first heartbeat since when
// no two lay so far apart that others could see it silent; checked the start of
// the last read, or write, of the record that found it ours. Who was silent may
// have been deposed meanwhile, and a heartbeat alone does not tell.
func mayAnswer(sinceBeat time.Duration, unbroken, checked int64) bool {
	return sinceBeat < freshFor && checked >= unbroken
}

// reply is what a shard does when another asks it for a partition.
type reply int

const (
	keepIt    reply = iota // our own table gives it to us
	giveNow                // nobody is in its rooms: release
	giveLater              // announce the move first
)

// answerYield decides about a held partition that another shard asks for. mine:
// our table gives it to us.
func answerYield(mine bool, sessions int) reply {
	switch {
	case mine:
		return keepIt
	case sessions == 0:
		return giveNow
	}
	return giveLater
}

// takesOffer tells whether self would take a partition that its holder offers.
// Of one that drains everybody does; else the own table must say the same, or
// the partition would go to and fro between tables that differ.
func takesOffer(self membership.Member, draining, mine bool) bool {
	return self.State == membership.StateActive && !self.Cut && (draining || mine)
}

// movesAway tells whether a shard gives up what its table gives to others. A
// drain does so by itself. Who is cut is out of the table for that alone: where
// all are, as on a full disk, one after the other, everything would move to and
// fro; if it stays cut, others find it gone.
func movesAway(self membership.Member) bool {
	return self.State == membership.StateActive && !self.Cut
}

// servesWant tells whether a shard gives up what it holds, or what the record
// says it does, and another wants and cannot ask for: the other must be beating
// (the entry of one that died stays on the roll, with what it wanted), the
// partition must not be settled, and none of its sessions heard lately.
func servesWant(beats, settled bool, heard int) bool { return beats && !settled && heard == 0 }

// settles tells whether a partition, acquired, is to stay for a while whoever
// wants it. It came from one we cannot reach: if that one cannot reach us
// either, it will want it back for the next client of its own. Or we take back
// what we gave to another: clients reach us before they reach that one.
func settles(v view, wanted bool) bool {
	return v.record.Released && (wanted || v.lastDead || v.record.Boot == v.self.Boot && v.record.NextName != v.self.Name)
}
