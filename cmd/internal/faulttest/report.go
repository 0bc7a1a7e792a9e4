package faulttest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
)

// figures are the pauses that one nemesis cost.
type figures struct {
	nemesis      Nemesis
	hit, others  []time.Duration
	worst, other checker.Pause
}

// report prints counts and pauses, and holds the latter to their limits.
func (r *run) report(c *checker.Report, usage []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %d phases, history of %d lines, %d rooms\n", r.plan.Seed, len(r.plan.Phases), c.Lines, c.Rooms)
	fmt.Fprintf(&b, "  sent %d, repeated %d, acknowledged %d, refused for good %d, unknown %d, unsettled %d; delivered %d\n",
		c.Sent, c.Repeated, c.Acked, c.Refused, c.Unknown, c.Unsettled, c.Delivered)
	fmt.Fprintf(&b, "  moves %d, redirects %d, disconnects %d; appends of a deposed owner refused %d, processes ended by force %d\n",
		c.Moves, c.Redirects, c.Disconnects, r.logged("append refused"), r.logged("ending a process"))
	fmt.Fprintf(&b, "  converged after %v\n", rounded(r.settled))
	for _, line := range usage {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	noise := max(c.Noise(), time.Duration(r.late.Load()))
	for i, took := range r.settled {
		if took > judged(convergeWithin)+noise && !r.plan.NoFigures {
			r.t.Errorf("I12 converges: phase %d took %s after its last fault, at most %s is allowed and the machine adds up to %s by itself",
				i+1, took.Round(time.Millisecond), convergeWithin, noise.Round(time.Millisecond))
		}
	}
	fmt.Fprintf(&b, "  pauses in ms (what the machine adds by itself: at most %d; limits in brackets):\n", noise.Milliseconds())
	for _, f := range r.figures(c) {
		if !r.solo(f.nemesis.Name) {
			fmt.Fprintf(&b, "    %-16s overlapped: rooms hit %4d, max %d; others max %d\n", f.nemesis.Name, len(f.hit), ms(f.hit, 1), ms(f.others, 1))
			continue
		}
		fmt.Fprintf(&b, "    %-16s hit %4d: p50 %5d %s p99 %5d %s max %5d %s #%s line %d | others %4d: max %5d %s\n", f.nemesis.Name,
			len(f.hit), ms(f.hit, 0.5), limit(f.nemesis.Limits.P50), ms(f.hit, 0.99), limit(f.nemesis.Limits.P99), ms(f.hit, 1), limit(f.nemesis.Limits.Max), f.worst.Room, f.worst.Line,
			len(f.others), ms(f.others, 1), limit(f.nemesis.Others.Max))
		for _, over := range []struct {
			what  string
			pause checker.Pause
			most  time.Duration
		}{{"a room that it hits", f.worst, f.nemesis.Limits.Max}, {"I11 isolation: a room of another shard", f.other, f.nemesis.Others.Max}} {
			if over.most > 0 && over.pause.Took > judged(over.most)+noise && !r.plan.NoFigures {
				r.t.Errorf("%s: %s, #%s, paused for %s at line %d, at most %s is allowed and the machine adds up to %s by itself",
					f.nemesis.Name, over.what, over.pause.Room, over.pause.Took.Round(time.Millisecond), over.pause.Line, over.most, noise.Round(time.Millisecond))
			}
		}
	}
	for _, e := range r.episodes {
		for _, note := range e.notes {
			fmt.Fprintf(&b, "    %s: %s\n", e.ID, note)
		}
	}
	r.t.Log(b.String())
	if err := r.noteFigures(c); err != nil {
		r.t.Error(err)
	}
}

// noteFigures adds a line for each pause to the file that PX_FAULT_FIGURES
// names, from which scripts/faults makes one table of many runs.
func (r *run) noteFigures(c *checker.Report) error {
	path := os.Getenv("PX_FAULT_FIGURES")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the writes say it
	log := "sqlite"
	if r.plan.NATS > 0 {
		log = "nats"
	}
	for _, fig := range r.figures(c) {
		kind := fig.nemesis.Name
		if !r.solo(kind) {
			continue
		}
		for _, took := range fig.hit {
			if _, err := fmt.Fprintln(f, log, kind, took.Milliseconds()); err != nil {
				return err
			}
		}
	}
	return nil
}

// solo tells whether all episodes of a nemesis were alone in their phases.
func (r *run) solo(nemesis string) bool {
	return !slices.ContainsFunc(r.episodes, func(e *Episode) bool { return e.Nemesis.Name == nemesis && !e.alone })
}

// figures sorts the pauses by nemesis: a planned one's are those of the moves
// within its episodes, another's those at the moment it struck.
func (r *run) figures(c *checker.Report) (list []*figures) {
	of := func(id string) *figures {
		i := slices.IndexFunc(r.episodes, func(e *Episode) bool { return e.ID == id })
		if i < 0 {
			return nil
		}
		n := r.episodes[i].Nemesis
		for _, f := range list {
			if f.nemesis.Name == n.Name {
				return f
			}
		}
		list = append(list, &figures{nemesis: n})
		return list[len(list)-1]
	}
	isPlanned := func(id string) bool { f := of(id); return f != nil && f.nemesis.Limits == planned }
	pauses := c.Pauses(func(id string) bool { return !isPlanned(id) })
	for _, p := range pauses {
		id := p.Event.Name
		if id == "" {
			// A move: the last episode that began before it is its cause.
			for _, e := range c.Events {
				if e.Name != "" && e.At <= p.Event.At {
					id = e.Name
				}
			}
		} else if isPlanned(id) {
			continue
		}
		f := of(id)
		switch {
		case f == nil:
		case p.Event.Name == "" || p.Moved || hit(p.Event.Code, p.Owner):
			if f.hit = append(f.hit, p.Took); p.Took > f.worst.Took {
				f.worst = p
			}
		default:
			if f.others = append(f.others, p.Took); p.Took > f.other.Took {
				f.other = p
			}
		}
	}
	return list
}

func ms(list []time.Duration, p float64) int64 { return checker.Percentile(list, p).Milliseconds() }

func limit(d time.Duration) string {
	if d == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%d]", d.Milliseconds())
}

func rounded(list []time.Duration) (out []time.Duration) {
	for _, d := range list {
		out = append(out, d.Round(time.Millisecond))
	}
	return out
}

// judged is the figure at which a limit counts as broken: with PX_FAULT_STRICT
// set, for a machine with nothing else to do, the limit itself. Otherwise three
// times that, since other people's work stretches pauses by more than what the
// driver sees of it; what was seen is printed beside the limit in any case.
func judged(limit time.Duration) time.Duration {
	if os.Getenv("PX_FAULT_STRICT") != "" {
		return limit
	}
	return 3 * limit
}
