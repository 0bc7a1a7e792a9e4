package tui

import "github.com/gdamore/tcell/v2"

// canvas is the picture being drawn. Only what differs from the one before goes
// to the screen: clearing the screen first would make its library send every
// character again, which is felt over a slow line.
type canvas struct {
	width, height int
	now, before   []dot
	cursor, was   [2]int // column and row; hidden if negative
}

// dot is one cell of the canvas.
type dot struct {
	main  rune // 0: blank; behind a wide character: covered
	comb  string
	style tcell.Style
}

const covered = -1

// begin starts a new picture; after a change of size all of it is sent.
func (c *canvas) begin(width, height int) {
	c.cursor = [2]int{-1, -1}
	if width != c.width || height != c.height {
		c.width, c.height, c.before = width, height, nil
		c.now = make([]dot, width*height)
		return
	}
	clear(c.now)
}

// set puts one grapheme cluster of a width into the picture.
func (c *canvas) set(x, y, width int, runes []rune, style tcell.Style) {
	if x < 0 || y < 0 || x >= c.width || y >= c.height || len(runes) == 0 {
		return
	}
	at := y*c.width + x
	c.now[at] = dot{runes[0], string(runes[1:]), style}
	for i := 1; i < width && x+i < c.width; i++ {
		c.now[at+i] = dot{main: covered}
	}
}

// show puts the cursor somewhere.
func (c *canvas) show(x, y int) { c.cursor = [2]int{x, y} }

// end sends what changed; if nothing did, nothing at all.
func (c *canvas) end(s tcell.Screen) {
	changed := c.before == nil || c.cursor != c.was
	if c.before == nil {
		s.Clear()
		c.before = make([]dot, len(c.now))
	}
	for y := range c.height {
		changed = c.sendRow(s, y) || changed
	}
	c.now, c.before = c.before, c.now
	if !changed {
		return
	}
	c.was = c.cursor
	if c.cursor[0] < 0 {
		s.HideCursor()
	} else {
		s.ShowCursor(c.cursor[0], c.cursor[1])
	}
	s.Show()
}

// sendRow sends what changed in a row, and reports whether anything did. A terminal
// may draw a cluster of several characters wider than it is counted, over what stands
// behind it: the row's rest goes out anew where one appears or goes.
func (c *canvas) sendRow(s tcell.Screen, y int) (changed bool) {
	rest := c.width
	for x := range c.width {
		d, was := c.now[y*c.width+x], c.before[y*c.width+x]
		if d == was {
			continue
		}
		if d.comb != "" || was.comb != "" {
			rest = min(rest, x+1)
		}
		if d.main == covered {
			continue
		}
		changed = true
		if d.main == 0 {
			d.main = ' '
		}
		s.SetContent(x, y, d.main, []rune(d.comb), d.style)
	}
	if rest < c.width {
		s.LockRegion(rest, y, c.width-rest, 1, false) // none is locked: it only marks them to be sent
	}
	return changed
}

// forget makes the next picture be sent whole.
func (c *canvas) forget() { c.width = 0 }
