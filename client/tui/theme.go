package tui

import (
	"hash/fnv"
	"math"
	"os"

	"github.com/gdamore/tcell/v2"
)

// theme is how things look. Nothing is told by colour alone.
type theme struct {
	plain, dim, bold, code, warn, bad, chosen, mention tcell.Style

	names []tcell.Color // of users; none: no colours
}

// newTheme makes a theme: "auto" and "light" use the terminal's own 16 colours,
// which its owner can read; "rich" tells more names apart where there are 256 or true colours;
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
	switch {
	case name == "rich" && colours >= 1<<24:
		t.names = trueColours()
	case name == "rich" && colours >= 256:
		t.names = nil
		for n := 16; n < 232; n++ {
			if c := tcell.PaletteColor(n); readable(c) && vivid(c) {
				t.names = append(t.names, c)
			}
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

// trueColours are hues in even steps, each as bright as is read equally well on
// black and on white.
func trueColours() (list []tcell.Color) {
	const hues = 24
	for i := range hues {
		angle := 2 * math.Pi * float64(i) / hues
		part := func(shift float64) float64 { return 0.5 + 0.5*math.Cos(angle-shift) }
		r, g, b := part(0), part(2*math.Pi/3), part(4*math.Pi/3)
		low, high := 0.0, 2.0 // black, the pure hue at 1, white
		shade := func(c float64) float64 { return c*min(low, 1) + (1-c)*max(0, low-1) }
		for range 20 { // towards the luminance by halving
			was := low
			if low = (low + high) / 2; luminance(shade(r), shade(g), shade(b)) >= middle {
				low, high = was, low
			}
		}
		list = append(list, tcell.NewRGBColor(int32(255*shade(r)), int32(255*shade(g)), int32(255*shade(b))))
	}
	return list
}

// middle is the luminance with the same contrast, 4.6, to black and to white.
const middle = 0.179

// luminance of sRGB, as the web's rules on contrast define it.
func luminance(r, g, b float64) float64 {
	linear := func(c float64) float64 {
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// contrast of a colour to black and to white.
func contrast(c tcell.Color) (toBlack, toWhite float64) {
	r, g, b := c.RGB()
	l := luminance(float64(r)/255, float64(g)/255, float64(b)/255)
	return (l + 0.05) / 0.05, 1.05 / (l + 0.05)
}

// readable reports whether a colour can be read on dark and on light.
func readable(c tcell.Color) bool {
	black, white := contrast(c)
	return black >= minContrast && white >= minContrast
}

const minContrast = 3

// vivid leaves the greys out, which tell nobody apart.
func vivid(c tcell.Color) bool {
	r, g, b := c.RGB()
	return max(r, g, b)-min(r, g, b) >= 80
}
