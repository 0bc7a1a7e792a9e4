package state

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Input is a line being written: text and a place in it, by grapheme cluster.
type Input struct {
	text   string
	cursor int // bytes, at a cluster's edge
}

// String is the text.
func (in Input) String() string { return in.text }

// Before is the text before the cursor.
func (in Input) Before() string { return in.text[:in.cursor] }

// Empty reports whether nothing is written.
func (in Input) Empty() bool { return in.text == "" }

// Insert writes s at the cursor.
func (in Input) Insert(s string) Input {
	return Input{in.text[:in.cursor] + s + in.text[in.cursor:], in.cursor + len(s)}
}

// Move moves the cursor by clusters, as far as there are any.
func (in Input) Move(by int) Input {
	for ; by > 0 && in.cursor < len(in.text); by-- {
		cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(in.text[in.cursor:], -1)
		in.cursor += len(cluster)
	}
	for ; by < 0 && in.cursor > 0; by++ {
		last := 0
		for g := uniseg.NewGraphemes(in.text[:in.cursor]); g.Next(); {
			last, _ = g.Positions()
		}
		in.cursor = last
	}
	return in
}

// Delete removes clusters behind (positive) or before (negative) the cursor.
func (in Input) Delete(by int) Input {
	to := in.Move(by)
	low, high := min(in.cursor, to.cursor), max(in.cursor, to.cursor)
	return Input{in.text[:low] + in.text[high:], low}
}

// DeleteWord removes the word before the cursor.
func (in Input) DeleteWord() Input {
	before := strings.TrimRight(in.Before(), " \n")
	before = before[:strings.LastIndexAny(before, " \n")+1]
	return Input{before + in.text[in.cursor:], len(before)}
}
