package tui

import (
	"strings"
	"unicode"
)

// maxMarks is how many combining marks a character keeps.
const maxMarks = 4

// tabWidth is what a tab becomes.
const tabWidth = 4

// Clean makes text of strangers safe for a terminal: no control characters but
// newline, no bidirectional overrides, no invisible characters, no towers of
// marks. What is left says what it said.
func Clean(s string) string {
	if !strings.ContainsFunc(s, suspect) {
		return s
	}
	var b strings.Builder
	marks := 0
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(strings.Repeat(" ", tabWidth))
		case hidden(r):
			continue
		case isMark(r):
			if marks++; marks > maxMarks {
				continue
			}
			b.WriteRune(r)
			continue
		default:
			b.WriteRune(r)
		}
		marks = 0
	}
	return b.String()
}

// oneLine is Clean for names, topics and notices.
func oneLine(s string) string { return strings.ReplaceAll(Clean(s), "\n", " ") }

func suspect(r rune) bool { return r < 0x20 || r >= 0x7f }

// hidden reports whether r could move a terminal or hide or turn text.
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, // C0, DEL, C1
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, // bidi
		r == 0x200b, r == 0x2060, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0x00ad, r == 0xfffd,
		r >= 0xfff0 && r <= 0xfff8, r >= 0xe0000 && r <= 0xe001f, r >= 0xe0080 && r <= 0xe0fff:
		return true
	}
	return false
}

func isMark(r rune) bool {
	// Variation selectors and joiners make emoji; they are no tower.
	return r != 0xfe0f && r != 0xfe0e && r != 0x200d && (unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r))
}
