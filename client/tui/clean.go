package tui

import "strings"

// maxMarks is how many combining marks a character keeps.
const maxMarks = 4

// Clean makes text of strangers safe for a terminal: no control characters but
// newline, no bidirectional overrides, no invisible characters, no towers of marks.
func Clean(s string) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, // C0, DEL, C1
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, // bidi
			r == 0x200b, r == 0x2060, r == 0xfeff, r >= 0xfff0 && r <= 0xfff8, r >= 0xe0000 && r <= 0xe0fff:
			return -1
		case isMark(r):
			if marks++; marks > maxMarks {
				return -1
			}
			return r
		}
		marks = 0
		return r
	}, s)
}
