package tui

import (
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"positivity-exchange/client/state"
)

// TestTheLineBreaksBehindWords, and the cursor finds its place in it.
func TestTheLineBreaksBehindWords(t *testing.T) {
	for text, want := range map[string]string{
		"one two three^": "one |two |three^",
		"one two ^three": "one |two |^three",
		"one tw^o three": "one |tw^o |three",
		"fiver six^":     "fiver |six^",
		"fiver ^six":     "fiver |^six",
		"fiver^ six":     "fiver^ |six",
		"fiver ^":        "fiver ^",
		"abcdefgh^ij":    "abcde|fgh^ij",
		"a bcdefghi^":    "a |bcdef|ghi^",
		"a\n^\nb c d e":  "a|^|b c d |e",
		"a        ^":     "a     |   ^",
		"日本語です^ね":        "日本|語で|す^ね",
		"^":              "^",
	} {
		at := strings.Index(text, "^")
		lines, row, column := wrapRaw(strings.Replace(text, "^", "", 1), 5, at)
		for i, line := range lines {
			if i == row {
				to := 0
				for g := uniseg.NewGraphemes(line); to < len(line) && uniseg.StringWidth(line[:to]) < column && g.Next(); {
					_, to = g.Positions()
				}
				lines[i] = line[:to] + "^" + line[to:]
			}
		}
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestNothingOfTheLineIsDropped, whatever is in it, and it stands in its columns.
func TestNothingOfTheLineIsDropped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := Clean(rapid.StringOfN(rapid.RuneFrom([]rune("ab  \n日é👍")), 0, 40, -1).Draw(t, "text"))
		width := rapid.IntRange(2, 9).Draw(t, "width")
		lines, row, column := wrapRaw(text, width, rapid.IntRange(0, len(text)).Draw(t, "at"))
		if got := strings.Join(lines, ""); got != strings.ReplaceAll(text, "\n", "") {
			t.Fatalf("%q became %q", text, got)
		}
		for _, line := range lines {
			if uniseg.StringWidth(strings.TrimSuffix(line, " ")) > width {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
		if row < 0 || row >= len(lines) || column > width+1 {
			t.Fatalf("the cursor is at %d, %d", row, column)
		}
	})
}

// TestAPastedLineIsOneLine: what was copied ends with a newline more often than not.
func TestAPastedLineIsOneLine(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	a.input(tcell.NewEventPaste(true))
	a.typed("one\ntwo\n")
	a.input(tcell.NewEventPaste(false))
	if got := a.st.Current().Draft.String(); got != "one\ntwo" {
		t.Errorf("the line is %q", got)
	}
}

// TestAQuestionMarkCanBeSaid: one opens the help, the second one is written.
func TestAQuestionMarkCanBeSaid(t *testing.T) {
	a, s := showing(t, 80, 24, chat())
	defer s.Fini()
	for typed, want := range map[string]string{"?": "", "??": "?", "???": "??", "?x?": ""} {
		a.st.Overlay = state.OverlayNone
		a.edit(func(in state.Input) state.Input { return in.Set("") })
		a.typed(typed)
		if got, help := a.st.Current().Draft.String(), a.st.Overlay == state.OverlayHelp; got != want || help != (want == "") {
			t.Errorf("%q: the line is %q, the help is shown: %v", typed, got, help)
		}
	}
	a.st.Overlay = state.OverlayNone
	a.edit(func(in state.Input) state.Input { return in.Set("so") })
	a.input(tcell.NewEventKey(tcell.KeyF1, 0, tcell.ModNone))
	a.typed("?")
	if got := a.st.Current().Draft.String(); got != "so?" {
		t.Errorf("the line is %q", got)
	}
}
