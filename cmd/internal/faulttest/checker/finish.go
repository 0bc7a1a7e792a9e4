package checker

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// Finish checks what only the whole history can show and returns the report.
// The Checker is of no use afterwards.
func (c *Checker) Finish() *Report {
	c.report.Lines, c.report.Rooms = c.line, len(c.rooms)
	c.report.samples, c.report.served = map[string][]sample{}, map[string][]Occurrence{}
	for _, name := range slices.Sorted(maps.Keys(c.rooms)) {
		r := c.rooms[name]
		c.report.samples[name], c.report.served[name] = r.samples, r.served
		if r.read == 0 {
			c.breach(Run, name, nil, "nobody read its history in the end")
			continue
		}
		if r.length != uint64(len(r.final)) {
			c.breach(Run, name, []int{r.read}, "its history is said to have %d records, %d were read", r.length, len(r.final))
		}
		c.finalOrder(r)
		c.finalSends(r)
		c.finalRecords(r)
	}
	fewest := func(n, least int, what string) {
		if least == 0 {
			least = 1
		}
		if n < least {
			c.breach(Run, "", nil, "%d %s: a run with less than %d shows nothing", n, what, least)
		}
	}
	fewest(c.report.Sent, c.opts.FewestSends, "messages sent")
	fewest(c.report.Moves, c.opts.FewestMoves, "moves")
	return &c.report
}

// finalOrder walks the history along its sequence.
func (c *Checker) finalOrder(r *room) {
	before := map[string]*send{} // the author's message before
	var epoch uint64
	var at int
	for _, rec := range r.final {
		if rec.epoch < epoch {
			c.breach(I6, r.name, []int{at, rec.finalLine}, "epoch %d of %d comes after epoch %d", rec.epoch, rec.seq, epoch)
		}
		epoch, at = rec.epoch, rec.finalLine
		s := r.sends[rec.message]
		switch {
		case s == nil:
			c.breach(I2, r.name, []int{rec.finalLine}, "%d is %s, which nobody sent here", rec.seq, rec)
			continue
		case s.final != 0:
			c.breach(I2, r.name, []int{s.line, rec.finalLine}, "%s of %s is there twice, as %d and as %d", rec.id, rec.author, s.final, rec.seq)
			continue
		case s.failed != 0:
			c.breach(I2, r.name, []int{s.line, s.failed, rec.finalLine}, "%s of %s was refused for good and is there as %d", rec.id, rec.author, rec.seq)
		case rec.hash != s.hash:
			c.breach(I1, r.name, []int{s.line, rec.finalLine}, "%d has other bytes than %s of %s when it was sent", rec.seq, rec.id, rec.author)
		}
		s.final = rec.seq
		if rec.seq <= s.floor {
			c.breach(I5, r.name, []int{s.floorLine, s.line, rec.finalLine}, "%s of %s was sent when %d had been seen and is %d", rec.id, rec.author, s.floor, rec.seq)
		}
		if last := before[rec.author]; last != nil && last.order > s.order {
			c.breach(I4, r.name, []int{s.line, last.line, rec.finalLine}, "%s of %s at %d was sent before the one that it follows, at %d", rec.id, rec.author, rec.seq, last.final)
		}
		before[rec.author] = s
	}
}

// finalSends looks for what was acknowledged.
func (c *Checker) finalSends(r *room) {
	keys := slices.SortedFunc(maps.Keys(r.sends), func(a, b message) int { return r.sends[a].line - r.sends[b].line })
	for _, key := range keys {
		s := r.sends[key]
		if s.ackLine == 0 && s.failed == 0 && s.unknown == 0 {
			c.report.Unsettled++
		}
		switch {
		case s.ackLine == 0 || s.ack == s.final:
		case s.final == 0:
			c.breach(I1, r.name, []int{s.line, s.ackLine}, "%s of %s was acknowledged as %d and is not in the history of %d", key.id, key.author, s.ack, len(r.final))
		default:
			c.breach(I1, r.name, []int{s.line, s.ackLine}, "%s of %s was acknowledged as %d and is %d", key.id, key.author, s.ack, s.final)
		}
	}
}

// finalRecords looks at what readers were given.
func (c *Checker) finalRecords(r *room) {
	for _, seq := range slices.Sorted(maps.Keys(r.records)) {
		rec := r.records[seq]
		if rec.finalLine == 0 && rec.delivered != 0 {
			c.breach(I7, r.name, []int{rec.delivered}, "%d (%s) was delivered and is not in the history of %d", seq, rec, len(r.final))
		}
	}
	for _, who := range slices.Sorted(maps.Keys(r.readers)) {
		at := r.readers[who]
		if at.end != 0 && at.last != uint64(len(r.final)) {
			c.breach(I3, r.name, []int{at.line, at.end}, "%s has %d records in the end, the history has %d", who, at.last, len(r.final))
		}
	}
}

// Check checks a whole history, written in lines.
func Check(history io.Reader, opts Options) (*Report, error) {
	c := New(opts)
	if err := ReadLines(history, func(_ int, e Event) { c.Add(e) }); err != nil {
		return nil, err
	}
	return c.Finish(), nil
}

// CheckFile is Check of a file, with the lines around each breach.
func CheckFile(path string, opts Options) (*Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	report, err := Check(f, opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(report.Breaches) > 0 {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if err := Quote(f, report.Breaches); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return report, nil
}
