package checker

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Invariants that a breach may name.
const (
	I1  = "I1 kept"
	I2  = "I2 once"
	I3  = "I3 gap-free"
	I4  = "I4 one order"
	I5  = "I5 real time"
	I6  = "I6 one writer"
	I7  = "I7 honest owner"
	Run = "run" // the run or its history shows nothing
)

// Breach is a promise that was not kept.
type Breach struct {
	Invariant string
	Room      string
	Lines     []int // of the history, ascending
	Text      string
	Around    []string // lines near the first and last of Lines; Quote fills it
}

func (b Breach) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: ", b.Invariant)
	if b.Room != "" {
		fmt.Fprintf(&s, "#%s: ", b.Room)
	}
	s.WriteString(b.Text)
	if len(b.Lines) > 0 {
		fmt.Fprintf(&s, " (lines %s)", strings.Trim(fmt.Sprint(b.Lines), "[]"))
	}
	for _, line := range b.Around {
		s.WriteString("\n    " + line)
	}
	return s.String()
}

// quoted is how many lines around a breach are shown at most.
const quoted = 20

// Quote reads the history once more and sets the Around of each breach: its own
// lines, and those of its room, or of faults, just before and after.
func Quote(history io.Reader, breaches []Breach) error {
	type wanted struct {
		b    *Breach
		last []string // lines of the room before the next one of the breach
		more int      // lines of the room still wanted after one of the breach
	}
	var list []*wanted
	for i := range breaches {
		breaches[i].Around = nil
		if len(breaches[i].Lines) > 0 {
			list = append(list, &wanted{b: &breaches[i]})
		}
	}
	lines := bufio.NewScanner(history)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		_, rest, _ := strings.Cut(text, " ")
		kind, rest, _ := strings.Cut(rest, " ")
		room, _, _ := strings.Cut(rest, " ")
		for _, w := range list {
			own := slices.Contains(w.b.Lines, n)
			if !own && room != w.b.Room && kind != string(Fault) && kind != string(Heal) || len(w.b.Around) >= quoted {
				continue
			}
			numbered := fmt.Sprintf("%d: %s", n, text)
			switch {
			case own:
				w.b.Around = append(append(w.b.Around, w.last...), "> "+numbered)
				w.last, w.more = nil, 3
			case w.more > 0:
				w.b.Around = append(w.b.Around, "  "+numbered)
				w.more--
			default:
				w.last = append(w.last, "  "+numbered)
				if len(w.last) > 4 {
					w.last = w.last[1:]
				}
			}
		}
	}
	return lines.Err()
}
