package state

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// maxUndo is how many changes of an input can be taken back.
const maxUndo = 100

// Input is what is being written: text and a place in it, by grapheme cluster.
// A value; each method returns the changed one.
type Input struct {
	text   string
	cursor int // bytes, at a cluster's edge
	undo   []edit
	killed string
	recall int    // place in the input history, counted back from its end; 0: none
	draft  string // what was written before recalling
	aside  string // what was written before a command was put in its place
	done   completion
	typed  int  // where the last typed character ended; further ones are one change with it
	cutter bool // the last thing done was a cut: the next one adds to it
}

// edit is what Undo goes back to.
type edit struct {
	text   string
	cursor int
}

// NewInput is an input that holds text, the cursor at its end.
func NewInput(text string) Input { return Input{text: text, cursor: len(text)} }

// String is the text.
func (in Input) String() string { return in.text }

// Before is the text before the cursor.
func (in Input) Before() string { return in.text[:in.cursor] }

// Empty reports whether nothing is written.
func (in Input) Empty() bool { return in.text == "" }

// change makes a new text, remembering the old one. Nothing is what stands aside,
// if anything does: the command in its place was sent, or erased.
func (in Input) change(text string, cursor int) Input {
	if text == "" {
		text, cursor, in.aside = in.aside, len(in.aside), ""
	}
	if text != in.text {
		in.undo = append(in.undo[max(0, len(in.undo)-maxUndo):len(in.undo):len(in.undo)], edit{in.text, in.cursor})
		in.recall = 0
	}
	in.text, in.cursor, in.done, in.typed, in.cutter = text, cursor, completion{}, 0, false
	return in
}

// Undo takes the last change back.
func (in Input) Undo() Input {
	if n := len(in.undo); n > 0 {
		in.text, in.cursor = in.undo[n-1].text, in.undo[n-1].cursor
		in.undo = in.undo[:n-1]
	}
	if in.text == in.aside {
		in.aside = ""
	}
	in.done, in.typed, in.cutter = completion{}, 0, false
	return in
}

// Insert writes s at the cursor. The characters of a word are one change.
func (in Input) Insert(s string) Input {
	out := in.change(in.text[:in.cursor]+s+in.text[in.cursor:], in.cursor+len(s))
	if r, n := utf8.DecodeRuneInString(s); n > 0 && n == len(s) && r != ' ' && r != '\n' {
		if in.typed > 0 && in.typed == in.cursor {
			out.undo = out.undo[:len(out.undo)-1]
		}
		out.typed = out.cursor
	}
	return out
}

// Set replaces all of the text.
func (in Input) Set(s string) Input { return in.change(s, len(s)) }

// Command puts the start of a command in place of the text, which comes back once
// the command is sent or erased.
func (in Input) Command(s string) Input {
	if in.aside == "" && in.text != s { // chosen again, it is not one's own words
		in.aside = in.text
	}
	return in.change(s, len(s))
}

// Aside is the text that a command was put in the place of, empty if there is none.
func (in Input) Aside() string { return in.aside }

// step is the cursor by clusters further, as far as there are any.
func (in Input) step(by int) int {
	at := in.cursor
	for ; by > 0 && at < len(in.text); by-- {
		cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(in.text[at:], -1)
		at += len(cluster)
	}
	for ; by < 0 && at > 0; by++ {
		// A cluster can be long, a line is longer: look from the line's start.
		from := strings.LastIndexByte(in.text[:at-1], '\n') + 1
		last := from
		for g := uniseg.NewGraphemes(in.text[from:at]); g.Next(); {
			last, _ = g.Positions()
			last += from
		}
		at = last
	}
	return at
}

func (in Input) moveTo(at int) Input {
	in.cursor, in.done, in.typed, in.cutter = at, completion{}, 0, false
	return in
}

// Move moves the cursor by clusters.
func (in Input) Move(by int) Input { return in.moveTo(in.step(by)) }

// Home moves to the start of the line, End to its end.
func (in Input) Home() Input { return in.moveTo(strings.LastIndexByte(in.Before(), '\n') + 1) }

// End moves to the end of the line.
func (in Input) End() Input { return in.moveTo(in.lineEnd()) }

func (in Input) lineEnd() int {
	if i := strings.IndexByte(in.text[in.cursor:], '\n'); i >= 0 {
		return in.cursor + i
	}
	return len(in.text)
}

// wordLeft and wordRight are the edges of words, as readline has them.
func (in Input) wordLeft() int {
	before := strings.TrimRightFunc(in.Before(), func(r rune) bool { return !isWord(r) })
	return len(strings.TrimRightFunc(before, isWord))
}

func (in Input) wordRight() int {
	after := in.text[in.cursor:]
	rest := strings.TrimLeftFunc(after, func(r rune) bool { return !isWord(r) })
	rest = strings.TrimLeftFunc(rest, isWord)
	return len(in.text) - len(rest)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// WordLeft moves to the start of the word before the cursor.
func (in Input) WordLeft() Input { return in.moveTo(in.wordLeft()) }

// WordRight moves behind the word after the cursor.
func (in Input) WordRight() Input { return in.moveTo(in.wordRight()) }

// cut removes the text between two places and keeps it for Yank.
func (in Input) cut(from, to int) Input {
	if from == to {
		return in
	}
	killed := in.text[from:to]
	if in.cutter && from < in.cursor {
		killed += in.killed
	} else if in.cutter {
		killed = in.killed + killed
	}
	in = in.change(in.text[:from]+in.text[to:], from)
	in.killed, in.cutter = killed, true
	return in
}

// Delete removes clusters behind (positive) or before (negative) the cursor.
func (in Input) Delete(by int) Input {
	to := in.step(by)
	low, high := min(in.cursor, to), max(in.cursor, to)
	return in.change(in.text[:low]+in.text[high:], low)
}

// KillWord removes the word before the cursor, up to a blank.
func (in Input) KillWord() Input {
	before := strings.TrimRight(in.Before(), " \n")
	return in.cut(strings.LastIndexAny(before, " \n")+1, in.cursor)
}

// KillWordLeft and KillWordRight remove to the edge of a word.
func (in Input) KillWordLeft() Input { return in.cut(in.wordLeft(), in.cursor) }

// KillWordRight removes to the end of the word after the cursor.
func (in Input) KillWordRight() Input { return in.cut(in.cursor, in.wordRight()) }

// KillLeft removes to the start of the line.
func (in Input) KillLeft() Input {
	return in.cut(strings.LastIndexByte(in.Before(), '\n')+1, in.cursor)
}

// KillRight removes to the end of the line.
func (in Input) KillRight() Input { return in.cut(in.cursor, in.lineEnd()) }

// Yank writes what was cut last.
func (in Input) Yank() Input { return in.Insert(in.killed) }

// Swap exchanges the clusters around the cursor.
func (in Input) Swap() Input {
	at := in
	if at.cursor == len(at.text) {
		at = at.Move(-1)
	}
	left, right := at.step(-1), at.step(1)
	if left == at.cursor {
		return in
	}
	text := at.text[:left] + at.text[at.cursor:right] + at.text[left:at.cursor] + at.text[right:]
	return in.change(text, right)
}

// Vertical moves the cursor by lines; false if there is no such line.
func (in Input) Vertical(by int) (Input, bool) {
	start := strings.LastIndexByte(in.Before(), '\n') + 1
	column := uniseg.GraphemeClusterCount(in.text[start:in.cursor])
	if by < 0 {
		if start == 0 {
			return in, false
		}
		in = in.moveTo(start - 1).Home()
	} else {
		end := in.lineEnd()
		if end == len(in.text) {
			return in, false
		}
		in = in.moveTo(end + 1)
	}
	for end := in.lineEnd(); column > 0 && in.cursor < end; column-- {
		in.cursor = in.step(1)
	}
	return in, true
}

// Recall shows an older (positive) or newer input of history, whose newest is
// its last; before the newest stands what was being written.
func (in Input) Recall(history []string, by int) Input {
	to := in.recall + by
	if to < 0 || to > len(history) {
		return in
	}
	if in.recall == 0 && to > 0 {
		in.draft = in.text
		if in.text != "" { // Undo leads back to it, even from a changed old line
			in.undo = append(in.undo[:len(in.undo):len(in.undo)], edit{in.text, in.cursor})
		}
	}
	text := in.draft
	if to > 0 {
		text = history[len(history)-to]
	}
	in.text, in.cursor, in.recall, in.done, in.typed, in.cutter = text, len(text), to, completion{}, 0, false
	return in
}

// Recalling reports whether the text is one of the history.
func (in Input) Recalling() bool { return in.recall > 0 }
