package checker

import (
	"maps"
	"slices"
	"time"
)

// A pause of a room at an event is the worst of (acknowledgement time - intended
// send time) over the messages that were due within Window of the event, minus
// the median of the same figure over windows of that room without an event.
const Window = time.Second

// settle is how long a fault is given to be over before a window counts as
// free of events.
const settle = 2 * time.Second

type sample struct {
	due, took int64
	line      int // of the acknowledgement
}

// Pause is what an event cost a room.
type Pause struct {
	Event Occurrence
	Room  string
	Owner string        // that served the room at the event
	Took  time.Duration // the pause, without the base line; never below 0
	Base  time.Duration
	Line  int  // of the acknowledgement that came last
	Moved bool // the room was served by another owner from then on
}

// Pauses lists what each fault cost each room with traffic, and each move that
// no fault of causes explains its own room. causes tells whether the fault of
// that name may itself be why a room moved; a move within its reach is not
// listed as one of its own.
func (r *Report) Pauses(causes func(fault string) bool) []Pause {
	var list []Pause
	for _, room := range slices.Sorted(maps.Keys(r.samples)) {
		samples := r.samples[room]
		if len(samples) == 0 {
			continue
		}
		base := baseline(samples, r.Events, room)
		add := func(e Occurrence) {
			took, line := worst(samples, e.At)
			if line == 0 {
				return
			}
			p := Pause{Event: e, Room: room, Owner: r.ownerAt(room, e.At), Took: max(0, took-base), Base: base, Line: line, Moved: e.Name == ""}
			for _, m := range r.Events {
				p.Moved = p.Moved || m.Name == "" && m.Room == room && m.At >= e.At && m.At <= e.Over+int64(settle)
			}
			list = append(list, p)
		}
		for _, e := range r.Events {
			if e.Name != "" || e.Room == room && !r.explained(e, causes) {
				add(e)
			}
		}
	}
	return list
}

// explained tells whether a fault may be why a room moved.
func (r *Report) explained(move Occurrence, causes func(string) bool) bool {
	return slices.ContainsFunc(r.Events, func(f Occurrence) bool {
		return f.Name != "" && causes(f.Name) && move.At >= f.At-int64(2*Window) && move.At <= f.Over+int64(settle)
	})
}

func (r *Report) ownerAt(room string, at int64) (owner string) {
	for _, o := range r.served[room] {
		if o.At < at {
			owner = o.Code
		}
	}
	return owner
}

// Noise is the worst that a window without an event saw in any room, less that
// room's base line: what the machine adds, whatever happens to the cluster.
func (r *Report) Noise() (noise time.Duration) {
	for room, samples := range r.samples {
		free, _ := windows(samples, r.Events, room)
		if len(free) > 0 {
			noise = max(noise, slices.Max(free)-Percentile(free, 0.5))
		}
	}
	return noise
}

func worst(samples []sample, at int64) (took time.Duration, line int) {
	for _, s := range samples {
		if d := s.due - at; d > -int64(Window) && d < int64(Window) && (line == 0 || time.Duration(s.took) > took) {
			took, line = time.Duration(s.took), s.line
		}
	}
	return took, line
}

// baseline is the median of worst over windows without an event; over all of
// them where no window is free.
func baseline(samples []sample, events []Occurrence, room string) time.Duration {
	free, all := windows(samples, events, room)
	if len(free) == 0 {
		free = all
	}
	return Percentile(free, 0.5)
}

// windows has worst of every window of a room, and of those without an event.
func windows(samples []sample, events []Occurrence, room string) (free, all []time.Duration) {
	if len(samples) == 0 {
		return nil, nil
	}
	end := samples[len(samples)-1].due
	for at := samples[0].due + int64(Window); at < end; at += int64(Window / 2) {
		took, line := worst(samples, at)
		if line == 0 {
			continue
		}
		all = append(all, took)
		if !slices.ContainsFunc(events, func(e Occurrence) bool {
			return (e.Name != "" || e.Room == room) && at+int64(Window) > e.At-int64(Window) && at-int64(Window) < e.Over+int64(settle)
		}) {
			free = append(free, took)
		}
	}
	return free, all
}

// Percentile sorts figures and returns the p-th of them; 0 of none.
func Percentile(figures []time.Duration, p float64) time.Duration {
	if len(figures) == 0 {
		return 0
	}
	slices.Sort(figures)
	return figures[min(int(p*float64(len(figures))), len(figures)-1)]
}
