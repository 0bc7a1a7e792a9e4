package tui

import (
	"testing"

	"github.com/gdamore/tcell/v2"
)

// counting counts what is sent to a screen.
type counting struct {
	tcell.SimulationScreen
	shows, cells int
}

func (c *counting) Show() { c.shows++; c.SimulationScreen.Show() }

func (c *counting) SetContent(x, y int, main rune, comb []rune, style tcell.Style) {
	c.cells++
	c.SimulationScreen.SetContent(x, y, main, comb, style)
}

// TestNothingIsSentWhileNothingChanges: an idle client is silent on the line.
func TestNothingIsSentWhileNothingChanges(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	counts := &counting{SimulationScreen: s}
	a.screen = counts
	a.draw()
	if counts.shows != 1 || counts.cells == 0 {
		t.Fatalf("the first picture: %d times, %d cells", counts.shows, counts.cells)
	}
	*counts = counting{SimulationScreen: s}
	for range 5 {
		a.draw()
	}
	if counts.shows != 0 || counts.cells != 0 {
		t.Errorf("nothing changed: sent %d times, %d cells", counts.shows, counts.cells)
	}
	a.input(tcell.NewEventKey(tcell.KeyRune, 'x', tcell.ModNone))
	a.draw()
	if counts.shows != 1 || counts.cells != 1 {
		t.Errorf("a key: sent %d times, %d cells", counts.shows, counts.cells)
	}
	*counts = counting{SimulationScreen: s}
	a.input(tcell.NewEventKey(tcell.KeyLeft, 0, tcell.ModNone))
	a.draw()
	if x, y, _ := s.GetCursor(); counts.shows != 1 || counts.cells != 0 || x != 7 || y != 22 {
		t.Errorf("the cursor alone: sent %d times, %d cells, it is at %d,%d", counts.shows, counts.cells, x, y)
	}
}
