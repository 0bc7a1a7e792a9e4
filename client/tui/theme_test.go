package tui

import (
	"fmt"
	"testing"

	"github.com/gdamore/tcell/v2"
)

// TestNamesCanBeReadOnDarkAndLight: the colours that are ours to choose keep
// their contrast on both; the first 16 are the terminal owner's.
func TestNamesCanBeReadOnDarkAndLight(t *testing.T) {
	for _, colours := range []int{256, 1 << 24} {
		names := newTheme("rich", colours).names
		if len(names) < 20 {
			t.Errorf("%d colours: only %d for names", colours, len(names))
		}
		for _, c := range names {
			if black, white := contrast(c); black < minContrast || white < minContrast {
				t.Errorf("%d colours: %v has a contrast of %.1f to black, %.1f to white", colours, c, black, white)
			}
		}
	}
	for _, c := range trueColours() {
		if black, white := contrast(c); black < 4 || white < 4 {
			t.Errorf("%v has a contrast of %.1f to black, %.1f to white", c, black, white)
		}
	}
}

func TestColoursOfNames(t *testing.T) {
	rich := newTheme("rich", 256)
	seen := map[tcell.Style]bool{}
	for i := range 300 {
		seen[rich.name(fmt.Sprint("user-", i))] = true
	}
	if len(seen) < 20 || rich.name("ada") != newTheme("rich", 256).name("ada") {
		t.Errorf("%d colours for 300 names", len(seen))
	}
	for name, look := range map[string]theme{"mono": newTheme("mono", 256), "a terminal without": newTheme("auto", 0)} {
		if fg, bg, _ := look.name("ada").Decompose(); fg != tcell.ColorDefault || bg != tcell.ColorDefault {
			t.Errorf("%s has colours", name)
		}
	}
	t.Setenv("NO_COLOR", "1")
	if fg, _, _ := newTheme("rich", 256).warn.Decompose(); fg != tcell.ColorDefault {
		t.Error("NO_COLOR has colours")
	}
}
