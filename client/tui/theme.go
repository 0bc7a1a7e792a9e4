package tui

import (
	"hash/fnv"
	"os"

	"github.com/gdamore/tcell/v2"
)

// theme is how things look. Nothing is told by colour alone.
type theme struct {
	plain, dim, bold, code, warn, bad, chosen, mention tcell.Style

	names []tcell.Color // of users; none: no colours
}

// newTheme makes a theme: "auto" and "light" use the terminal's own 16 colours,
// which its owner can read; "rich" tells more names apart where there are 256;
// "mono", or NO_COLOR in the environment, uses none.
func newTheme(name string, colours int) theme {
	p := tcell.StyleDefault
	t := theme{plain: p, dim: p.Dim(true), bold: p.Bold(true), code: p.Reverse(false).Italic(true), warn: p.Bold(true), bad: p.Bold(true), chosen: p.Reverse(true), mention: p.Bold(true)}
	if name == "mono" || os.Getenv("NO_COLOR") != "" || colours < 8 {
		return t
	}
	t.code = p.Foreground(tcell.ColorTeal)
	t.warn = p.Foreground(tcell.ColorOlive)
	t.bad = p.Foreground(tcell.ColorMaroon).Bold(true)
	t.mention = p.Foreground(tcell.ColorPurple).Bold(true)
	t.names = []tcell.Color{tcell.ColorTeal, tcell.ColorGreen, tcell.ColorOlive, tcell.ColorBlue, tcell.ColorPurple, tcell.ColorMaroon}
	if name == "rich" && colours >= 256 {
		t.names = nil
		for _, n := range []int{31, 36, 43, 64, 68, 71, 99, 104, 107, 130, 133, 136, 139, 143, 166, 168, 170, 172, 174, 178, 180} {
			t.names = append(t.names, tcell.PaletteColor(n)) // of middle brightness: readable on dark and light
		}
	}
	if name == "light" {
		// Yellow on white cannot be read; grey for what is faint can.
		t.warn = p.Foreground(tcell.ColorBlue)
		t.dim = p.Foreground(tcell.ColorGray)
		t.names = []tcell.Color{tcell.ColorTeal, tcell.ColorGreen, tcell.ColorBlue, tcell.ColorPurple, tcell.ColorMaroon, tcell.ColorNavy}
	}
	return t
}

// name is the style of a user's name, the same everywhere and at every start.
func (t theme) name(user string) tcell.Style {
	if len(t.names) == 0 {
		return t.bold
	}
	h := fnv.New32a()
	h.Write([]byte(user)) //nolint:errcheck // never fails
	return t.plain.Foreground(t.names[h.Sum32()%uint32(len(t.names))])
}
