package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// progressLine is a line at the bottom of a terminal that is written over again.
// Elsewhere nothing is written.
type progressLine struct {
	w     io.Writer
	on    bool // w is a terminal
	shown bool
}

func newProgressLine(f *os.File) progressLine {
	return progressLine{w: f, on: term.IsTerminal(int(f.Fd()))}
}

func (l *progressLine) write(text string) {
	if l.on {
		fmt.Fprintf(l.w, "\r%s\x1b[K", text)
		l.shown = true
	}
}

// clear takes the line away.
func (l *progressLine) clear() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.shown = false
	}
}
