package ownership

import "positivity-exchange/membership"

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
// Times are Unix nanoseconds: lastBeat is the start of its last successful
// heartbeat; unbroken the start of the first one since when no two lay so far
// apart that others could see it silent; checked the start of the last read, or
// write, of the record that found it ours. Who was silent may have been deposed
// meanwhile, and a heartbeat alone does not tell.
func mayAnswer(now, lastBeat, unbroken, checked int64) bool {
	return now-lastBeat < int64(freshFor) && checked >= unbroken
}

// reply is what a shard does when another asks it for a partition.
type reply int

const (
	notHeld   reply = iota // neither held nor ours by the record
	letGoNow               // the record names us and we do not serve it: release
	keepIt                 // our own table gives it to us
	giveNow                // nobody is in its rooms: release
	giveLater              // announce the move first
)

// answerYield decides about a partition that another shard asks for. held: we
// serve it; named: the record names us; mine: our table gives it to us.
func answerYield(held, named, mine bool, sessions int) reply {
	switch {
	case !held && named:
		return letGoNow
	case !held:
		return notHeld
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

// servesWant tells whether a holder gives up what another wants and cannot ask
// for: the other must be beating (the entry of one that died stays on the roll,
// with what it wanted), the partition must not have come by a want itself just
// now, and none of its sessions may have been heard lately.
func servesWant(held, beats, settled bool, heard int) bool {
	return held && beats && !settled && heard == 0
}
