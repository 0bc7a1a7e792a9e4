package stress

import (
	"bytes"
	"fmt"
	"time"
)

// room is a room of the run and what its readers agreed on.
type room struct {
	Room
	seats    []*seat
	speakers []*speaker
	locals   int     // speakers there were
	base     uint64  // sequence before the book's first entry
	book     []entry // numbered: whose message each sequence is, as its first reader had it
	open     bool    // base is set
}

// entry is a message's author. The zero entry is one not yet seen.
type entry struct{ speaker, n uint32 } // speaker is its id + 1; foreign for others' messages

const foreign = ^uint32(0)

// unheard stands for a speaker whose first message to a newcomer may be any.
const unheard = ^uint32(0)

// speaker is a session as it speaks in one room.
type speaker struct {
	id     uint32
	local  int // number in the room
	seat   *seat
	sent   uint32
	acked  uint32
	stored uint32          // numbered: highest of its messages in the room's book
	times  []time.Duration // of message n at n-1: when it was to be sent
}

// seat is a session in a room.
type seat struct {
	room    *room
	session *session
	link    *link
	speaker *speaker // nil: only reads
	joined  bool
	leaving bool
	tries   int
	next    uint64              // numbered: sequence expected
	heard   []uint32            // otherwise: of each speaker of the room, the last number; 0 before the first, or unheard
	missing map[uint64]struct{} // sequences, or speaker<<32|n, that others overtook
}

// accept checks a message and counts it. The caller holds the engine's lock.
func (s *seat) accept(e *engine, f *Frame, now time.Duration) {
	if !s.joined && e.numbered {
		e.wrong(fmt.Errorf("#%s: a message before the answer to the join", s.room.Name))
		return
	}
	if e.numbered && !e.ours(f.ID) {
		e.tally.Foreign++
		s.number(e, f.Seq, entry{foreign, uint32(f.Seq)})
		return
	}
	id, n, ok := parseContent(f.Content, e.profile.Size)
	if !ok || int(id) >= len(e.speakers) || e.numbered && !bytes.Equal(f.ID[len(e.nonce)+1:], f.Content[:headSize]) {
		e.altered(s, f)
		return
	}
	sp := e.speakers[id]
	if sp.seat.room != s.room || n == 0 || n > sp.sent {
		e.altered(s, f)
		return
	}
	if e.numbered {
		ok = s.number(e, f.Seq, entry{id + 1, n})
	} else {
		ok = s.sequence(e, sp, n)
	}
	if !ok {
		return
	}
	e.tally.Delivered++
	if e.measured {
		e.hist.RecordValue(int64((now - sp.times[n-1]) / time.Microsecond)) //nolint:errcheck // beyond ten minutes nothing is told apart
	}
	if s.speaker == sp && n > sp.acked {
		sp.acked++
		e.tally.Acknowledged++
		p := &e.profile
		if e.sending && p.Window > 0 && (p.Talk == 0 || int(sp.sent) < p.Talk) {
			e.say(sp, now)
		}
		e.news = e.news || p.Talk > 0 && int(sp.acked) >= p.Talk || p.Messages > 0 && e.tally.Acknowledged >= int64(p.Messages)
	}
}

func (e *engine) altered(s *seat, f *Frame) {
	e.tally.Altered++
	e.wrong(fmt.Errorf("#%s: content that nobody sent: number %d, id %q, %q", s.room.Name, f.Seq, f.ID, f.Content))
}

// number checks a sequence against what this reader expects and what others
// had under it; false: it is a repeat.
func (s *seat) number(e *engine, seq uint64, who entry) bool {
	switch {
	case seq == s.next:
		s.next++
	case seq > s.next:
		e.gap(s, seq-s.next, s.next, fmt.Sprintf("number %d after %d", seq, s.next-1))
		s.next = seq + 1
	default:
		if !e.late(s, seq, fmt.Sprintf("number %d after %d", seq, s.next-1)) {
			return false
		}
	}
	r := s.room
	if seq <= r.base {
		return true
	}
	at := int(seq - r.base - 1)
	for len(r.book) <= at {
		r.book = append(r.book, entry{})
	}
	switch known := r.book[at]; {
	case known == who:
	case known != entry{}:
		e.tally.OutOfOrder++
		e.wrong(fmt.Errorf("#%s: number %d is not the same message for all readers", r.Name, seq))
	default:
		r.book[at] = who
		if who.speaker == foreign {
			break
		}
		switch sp := e.speakers[who.speaker-1]; {
		case who.n == sp.stored+1:
			sp.stored = who.n
		case who.n <= sp.stored:
			e.tally.Doubled++
			e.wrong(fmt.Errorf("#%s: message %d of speaker %d stands under two numbers, or behind its successor; the second is %d", r.Name, who.n, sp.id, seq))
		case len(s.missing) == 0:
			e.tally.OutOfOrder++
			e.wrong(fmt.Errorf("#%s: message %d of speaker %d came behind its message %d", r.Name, who.n, sp.id, sp.stored))
		default:
			sp.stored = who.n // its predecessors may be within the gap
		}
	}
	return true
}

// sequence checks a speaker's order as one reader has it; false: a repeat.
func (s *seat) sequence(e *engine, sp *speaker, n uint32) bool {
	s.know(sp.local+1, s.joined)
	last := s.heard[sp.local]
	what := func() string { return fmt.Sprintf("message %d of speaker %d after %d", n, sp.id, last) }
	switch {
	case n == last+1 || last == unheard:
	case n > last:
		e.gap(s, uint64(n-last-1), uint64(sp.id)<<32|uint64(last+1), what())
	default:
		return e.late(s, uint64(sp.id)<<32|uint64(n), what())
	}
	s.heard[sp.local] = n
	return true
}

// know makes room for speakers. Those who are new since the join are heard from
// their first message on; of the others any may be the first.
func (s *seat) know(speakers int, fromFirst bool) {
	for len(s.heard) < speakers {
		if fromFirst {
			s.heard = append(s.heard, 0)
		} else {
			s.heard = append(s.heard, unheard)
		}
	}
}

// gap notes what was overtaken; it counts as lost until it comes.
func (e *engine) gap(s *seat, count, first uint64, what string) {
	e.tally.Lost += int64(count)
	e.wrong(fmt.Errorf("#%s: %d lost or overtaken: %s", s.room.Name, count, what))
	if s.missing == nil {
		s.missing = map[uint64]struct{}{}
	}
	for i := range min(count, 1<<16) {
		s.missing[first+i] = struct{}{}
	}
}

// late takes what is behind the expected: overtaken (true), or a repeat.
func (e *engine) late(s *seat, key uint64, what string) bool {
	if _, overtaken := s.missing[key]; overtaken {
		delete(s.missing, key)
		e.tally.Lost--
		e.tally.OutOfOrder++
		return true
	}
	e.tally.Doubled++
	e.wrong(fmt.Errorf("#%s: doubled: %s", s.room.Name, what))
	return false
}

// behind counts what readers have still to get of what was sent.
func (e *engine) behind() (n int64) {
	for _, r := range e.rooms {
		top := r.base + uint64(len(r.book))
		for _, sp := range r.speakers {
			n += int64(sp.sent - sp.acked)
		}
		for _, s := range r.seats {
			switch {
			case !s.joined || s.leaving:
			case e.numbered:
				n += int64(top + 1 - s.next)
			default:
				for _, sp := range r.speakers {
					switch {
					case sp.local >= len(s.heard):
						n += int64(sp.sent)
					case s.heard[sp.local] != unheard:
						n += int64(sp.sent - s.heard[sp.local])
					}
				}
			}
		}
	}
	return n
}
