package jetstreamlog

import (
	"context"
	"errors"
	"slices"
)

// place is where a record stands: its sequence in the room and the stream's.
type place struct{ seq, at uint64 }

const (
	nearEnough = 16   // records read in vain cost less than another probe
	hintsEach  = 4    // places remembered of a room
	maxHints   = 4096 // rooms remembered
)

// remember notes where a record of subject stands: the next page begins there.
func (l *Log) remember(subject string, at place) {
	l.hintMu.Lock()
	defer l.hintMu.Unlock()
	if len(l.hints) >= maxHints && l.hints[subject] == nil {
		clear(l.hints)
	}
	known := slices.DeleteFunc(l.hints[subject], func(p place) bool { return p.seq == at.seq })
	if len(known) == hintsEach {
		known = known[1:]
	}
	l.hints[subject] = append(known, at)
}

func (l *Log) forgetHints(subject string) {
	l.hintMu.Lock()
	defer l.hintMu.Unlock()
	delete(l.hints, subject)
}

// exactly is where a record stands, if that is remembered.
func (l *Log) exactly(subject string, seq uint64) (place, bool) {
	l.hintMu.Lock()
	defer l.hintMu.Unlock()
	for _, h := range l.hints[subject] {
		if h.seq == seq {
			return h, true
		}
	}
	return place{}, false
}

// around narrows the places below and above want with what is remembered.
func (l *Log) around(subject string, want uint64, low, high place) (place, place) {
	l.hintMu.Lock()
	defer l.hintMu.Unlock()
	for _, h := range l.hints[subject] {
		switch {
		case h.seq <= want && h.at > low.at && h.at < high.at:
			low = h
		case h.seq > want && h.at < high.at && h.at > low.at:
			high = h
		}
	}
	return low, high
}

// find returns a stream sequence from which on the subject's records begin at
// or shortly before want. high is the newest record's place, whose seq >= want.
// It guesses by proportion and halves every second time, so that a room that
// spoke in bursts takes no more than twice the steps of a bisection.
func (l *Log) find(ctx context.Context, stream, subject string, want uint64, high place) (uint64, error) {
	low, high := l.around(subject, want, place{at: 1}, high)
	for step := 0; want-low.seq > nearEnough && high.at-low.at > nearEnough; step++ {
		guess := low.at + (high.at-low.at)/2
		if step%2 == 0 {
			share := float64(want-low.seq-nearEnough/2) / float64(high.seq-low.seq)
			guess = min(low.at+1+uint64(min(share, 1)*float64(high.at-low.at)), high.at-1)
		}
		m, err := l.next(ctx, stream, subject, guess)
		if err != nil {
			return 0, err
		}
		found, err := decodeSpan(m)
		if err != nil {
			return 0, err
		}
		if found.first > want {
			high = place{found.first, guess} // from guess on there is nothing earlier
		} else {
			low = place{found.first, m.at}
		}
	}
	return low.at, nil
}

// next is the first message of subject at or after a stream sequence.
func (l *Log) next(ctx context.Context, stream, subject string, at uint64) (message, error) {
	r := request{Seq: at, NextFor: subject}
	if found, _, err := l.replica(ctx, stream, r); err == nil && len(found) == 1 {
		return found[0], nil
	}
	// That replica lags or is gone; the leader has what was acknowledged.
	m, err := l.leader(ctx, stream, r)
	if errors.Is(err, errNone) {
		err = unreachable(stream, err)
	}
	return m, err
}
