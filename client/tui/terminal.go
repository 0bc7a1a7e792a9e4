package tui

import "github.com/gdamore/tcell/v2"

// KnowsTerminal reports whether the screen can be drawn on a terminal of that
// name, which TERM has.
func KnowsTerminal(name string) bool {
	_, err := tcell.LookupTerminfo(name)
	return err == nil
}
