package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
)

// shownIn is the conversation as it stands on a screen of 80 columns, a row a
// string, without the room list and blanks at either end.
func shownIn(t *testing.T, st state.State) (rows []string) {
	t.Helper()
	a, s := showing(t, 80, 24, st)
	defer s.Fini()
	a.draw()
	for _, row := range strings.Split(dump(s), "\n") {
		if _, text, ok := strings.Cut(row, "│"); ok && strings.TrimSpace(text) != "" {
			rows = append(rows, strings.TrimSpace(text))
		}
	}
	return rows
}

// TestEveryMinuteHasItsTime: what stands above in the same minute shows it, be
// it a message or not.
func TestEveryMinuteHasItsTime(t *testing.T) {
	st := state.State{Page: state.PageChat, User: "ada", Now: noon}.Open("go").Apply(client.Joined{Room: "go"})
	st = st.Apply(client.Presence{Room: "go", Joined: []string{"bob"}})
	st = st.Apply(said("go", "ada", "hello bob", 1)).Apply(said("go", "bob", "lost", 2)).Apply(client.Cut{Room: "go", At: 1}).Apply(said("go", "bob", "hello", 2))
	st.Now = noon.Add(40 * time.Second)
	st = st.Tell("go", "1 here: ada")
	want := []string{
		"──────────────────── Monday 23 November ────────────────────",
		"14:02     bob joined",
		"ada hello bob                                        ✓",
		"─── 1 message missing: the store lost its end behind #1 ────",
		"14:02 bob hello",
		"1 here: ada",
	}
	if got := shownIn(t, st); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNoRowIsEmptyThatNobodyMeantSo: a blank at which a line ends is not drawn,
// wherever it stands.
func TestNoRowIsEmptyThatNobodyMeantSo(t *testing.T) {
	for text, want := range map[string]string{
		"zzzz ":        "zzzz",
		"zzzz   ":      "zzzz",
		"zzzz \nyy":    "zzzz|yy",
		"zzzz  yy":     "zzzz|yy",
		"zz  yyyy":     "zz|yyyy",
		"zzz yy":       "zzz|yy",
		" zzzz":        "zzzz",
		"   zzzzzz":    "zzzz|zz",
		" zz yyyy":     " zz|yyyy",
		"zzzz\n\nyyyy": "zzzz||yyyy",
		"zzzzz ":       "zzzz|z ",
		"     y":       "y",
	} {
		rows := wrap(text, 4)
		for i, row := range rows {
			rows[i] = row[:min(len(row), 4)] // as it is drawn
			if i < len(rows)-1 {
				rows[i] = strings.TrimRight(rows[i], " ")
			}
		}
		if got := strings.Join(rows, "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestAMessageOfBlanksIsSeen, also one of what is not drawn at all.
func TestAMessageOfBlanksIsSeen(t *testing.T) {
	for _, text := range []string{"  ", "\n\n", "\u200b", "\u3000\t"} {
		st := room(1, 1).Apply(said("go", "eve", text, 2))
		if rows := shownIn(t, st); len(rows) != 3 || rows[2] != "eve (blank)" {
			t.Errorf("%q:\n%s", text, strings.Join(rows, "\n"))
		}
	}
}

// TestNumbersAreWhole: those of a long room too, and in a narrow window, which has no
// times, or no part of one that could be taken for a number.
func TestNumbersAreWhole(t *testing.T) {
	for _, width := range []int{80, 40, 28} {
		for _, n := range []int{7, 1_234_567} {
			a, s := showing(t, width, 24, room(n, 3).Tell("go", "without one"))
			defer s.Fini()
			a.numbers = true
			a.draw()
			if got := dump(s); strings.Contains(strings.ReplaceAll(got, " 14:02 ", ""), " 14") {
				t.Errorf("%d columns: a piece of a time on\n%s", width, got)
			}
			for seq := n; seq < n+3; seq++ {
				if want := fmt.Sprintf(" %d ", seq); strings.Count(dump(s), want) != 1 {
					t.Errorf("%d columns: no %q on\n%s", width, want, dump(s))
				}
			}
		}
	}
}

// TestAnAddressHasItsBrackets: those that it opens itself, not those around it.
func TestAnAddressHasItsBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"https://e.org/wiki/Foo_(bar)":              "https://e.org/wiki/Foo_(bar)",
		"(see https://e.org/wiki/Foo_(bar))":        "https://e.org/wiki/Foo_(bar)",
		"(see https://e.org/wiki/Foo).":             "https://e.org/wiki/Foo",
		"https://e.org/a_(b)_(c), or":               "https://e.org/a_(b)_(c)",
		"https://e.org/f(x[1]).":                    "https://e.org/f(x[1])",
		"[https://e.org/f]":                         "https://e.org/f",
		"https://e.org/a(b).html, and https://e/b.": "https://e.org/a(b).html https://e/b",
	} {
		var got []string
		for _, at := range links(text) {
			got = append(got, text[at[0]:at[1]])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
