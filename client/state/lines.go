package state

import (
	"cmp"
	"fmt"
	"slices"

	"positivity-exchange/comms"
)

// Place is where a line stands among the recorded ones: its sequence, or that of
// the record that it follows.
func (l Line) Place() uint64 {
	if l.Seq != 0 {
		return l.Seq
	}
	return l.After
}

// search finds the index of the first line at or behind seq.
func (r *Room) search(seq uint64) int {
	i, _ := slices.BinarySearchFunc(r.Lines, seq, func(l Line, seq uint64) int { return cmp.Compare(l.Place(), seq) })
	return i
}

// index is where the record of a sequence stands, -1 if it is not there.
func (r *Room) index(seq uint64) int {
	for i := r.search(seq); i < len(r.Lines) && r.Lines[i].Place() == seq; i++ {
		if r.Lines[i].Seq == seq {
			return i
		}
	}
	return -1
}

// Has reports whether the record of a sequence is there.
func (r *Room) Has(seq uint64) bool { return r.index(seq) >= 0 }

// WithHistory merges a page of records into a room, wherever they belong.
func (s State) WithHistory(room string, page comms.HistoryPage) State {
	return s.Update(room, func(r *Room) { r.merge(page, s) })
}

func (r *Room) merge(page comms.HistoryPage, s State) {
	r.diverged(page, s)
	var fresh []Line
	below := 0 // of the new lines, how many stand below the bottom of the screen
	bottom := uint64(1 << 63)
	if !r.AtEnd() && r.Scroll < len(r.Lines) {
		bottom = r.Lines[len(r.Lines)-1-r.Scroll].Place()
	}
	for _, rec := range page.Records {
		if r.Has(rec.Seq) {
			continue
		}
		if rec.Seq > bottom {
			below++
		}
		fresh = append(fresh, line(rec, rec.User == s.User, s.Now.Add(-markAfter))) // its mark is shown at once
	}
	if len(fresh) > 0 {
		r.Lines = append(slices.Clone(r.Lines), fresh...)
		slices.SortStableFunc(r.Lines, func(a, b Line) int {
			if c := cmp.Compare(a.Place(), b.Place()); c != 0 {
				return c
			}
			// What is not recorded stands behind the record it follows.
			return cmp.Compare(boolInt(a.Seq == 0), boolInt(b.Seq == 0))
		})
		r.Scroll += below
	}
	r.Last = max(r.Last, page.Head)
	if n := len(page.Records); n > 0 {
		r.Last = max(r.Last, page.Records[n-1].Seq)
	}
	if r.Unread > 0 {
		// Those of one's absence come as history, and count none the less.
		r.Mentions = 0
		for i := len(r.Lines) - 1; i >= 0 && r.Lines[i].Place() > r.Read; i-- {
			if l := r.Lines[i]; l.Kind == LineMessage && !l.Mine && Mentions(l.Text, s.User) {
				r.Mentions++
			}
		}
	} else if r.Name == s.Active {
		r.Read = max(r.Read, r.Last)
	}
}

// diverged compares a page with the lines that are there. If the disk had some
// that are not what the store has any more, the store lost its end and went on
// from there: those lines go, and where they stood it is said.
func (r *Room) diverged(page comms.HistoryPage, s State) {
	first, gone := uint64(0), 0
	for _, rec := range page.Records {
		if i := r.index(rec.Seq); i >= 0 && (r.Lines[i].ID != rec.ID || r.Lines[i].User != rec.User) {
			if first == 0 {
				first = rec.Seq
			}
			gone++
		}
	}
	if first == 0 {
		return
	}
	text := fmt.Sprintf("%s missing: the store lost its end behind #%d", count(gone, "message"), first-1)
	from := first
	if first == page.Records[0].Seq && first > 1 {
		// What lies below may be of the lost end too: it is loaded again.
		text, from = fmt.Sprintf("messages missing: the store lost its end before #%d", first), 0
	}
	inPage := map[uint64]bool{}
	for _, rec := range page.Records {
		inPage[rec.Seq] = true
	}
	r.Lines = slices.DeleteFunc(slices.Clone(r.Lines), func(l Line) bool {
		return l.Place() >= from && (l.Place() < first || l.Kind == LineCut || inPage[l.Seq])
	})
	i := r.search(first)
	r.Lines = slices.Insert(r.Lines, i, Line{Kind: LineCut, After: first - 1, Text: text, Time: s.Now})
	r.ToEnd()
	if r.New > 0 && r.Marker >= first { // read was what is gone, not what stands there now
		r.Marker, r.New = first-1, int(max(r.Last, page.Head)-first+1)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Oldest is the lowest sequence there, 0 if there is none.
func (r *Room) Oldest() uint64 {
	for _, l := range r.Lines {
		if l.Seq != 0 {
			return l.Seq
		}
	}
	return 0
}

// Large is from how many records on a hole is no accident but a jump far back:
// it is filled where somebody looks, not from end to end.
const Large = 1000

// Hole is the newest range of records that is missing between lines that are
// there, or between them and the newest known to exist.
func (r *Room) Hole() (from, to uint64, ok bool) {
	above := r.Last + 1
	for i := len(r.Lines) - 1; i >= 0; i-- {
		seq := r.Lines[i].Seq
		if seq == 0 {
			continue
		}
		if seq+1 < above {
			return seq + 1, above - 1, true
		}
		above = seq
	}
	return 0, 0, false
}

// Whole reports whether every record of the room is there.
func (r *Room) Whole() bool {
	_, _, hole := r.Hole()
	return r.Last == 0 || r.Oldest() == 1 && !hole
}

// AtEnd reports whether the end is shown: the conversation is followed then.
func (r *Room) AtEnd() bool { return r.Scroll == 0 && r.Under == 0 }

// ToEnd shows the end.
func (r *Room) ToEnd() { r.Scroll, r.Under = 0, 0 }

// Gap is the range of records that is missing between the i-th line and the one
// above it. What is above the first line is no gap.
func (r *Room) Gap(i int) (from, to uint64, ok bool) {
	if i < 1 || i >= len(r.Lines) || r.Lines[i-1].Place() == 0 {
		return 0, 0, false
	}
	from, to = r.Lines[i-1].Place()+1, r.Lines[i].Place()
	if r.Lines[i].Seq != 0 {
		to--
	}
	return from, to, from <= to
}

// Stretch is from which line to which the conversation around the i-th one has no
// gap.
func (r *Room) Stretch(i int) (first, last int) {
	gap := func(i int) bool { _, _, gap := r.Gap(i); return gap }
	for first = max(i, 0); first > 0 && !gap(first); first-- {
	}
	for last = i; last < len(r.Lines)-1 && !gap(last+1); last++ {
	}
	return first, last
}

// ScrollTo shows the line of seq (or the next one) with so many lines below it, or
// as many as there are before something is missing.
func (r *Room) ScrollTo(seq uint64, below int) {
	i := min(r.search(seq), len(r.Lines)-1)
	_, last := r.Stretch(i)
	r.Scroll, r.Under = len(r.Lines)-1-min(i+below, last), 0
}

// Records are the newest lines that are recorded in the room, at most n: all of
// them, as they are recorded, or the next visit would miss some.
func (r *Room) Records(n int) []comms.Record {
	var records []comms.Record
	above := r.Last + 1
	for i := len(r.Lines) - 1; i >= 0 && len(records) < n; i-- {
		l := r.Lines[i]
		if l.Seq == 0 {
			continue
		}
		if l.Seq+1 != above {
			break // behind a hole
		}
		above = l.Seq
		if l.Raw != nil {
			records = append(records, *l.Raw)
		} else {
			records = append(records, comms.Record{Kind: comms.KindMessage, Seq: l.Seq, User: l.User, ID: l.ID, Time: l.Time.UnixMilli(), Content: l.Text})
		}
	}
	slices.Reverse(records)
	return records
}
