package tui

import (
	"testing"
	"time"
)

// TestSigned messages, as they are copied and shown alone: each line has an
// author, and what somebody does reads as it is meant.
func TestSigned(t *testing.T) {
	at := time.Date(2026, 11, 23, 2, 38, 0, 0, time.Local)
	for text, want := range map[string]string{
		"hi":               "02:38 ada: hi",
		"one\ntwo":         "02:38 ada: one\n02:38 ada: two",
		"/me waves":        "02:38 * ada waves",
		"/me waves\ntwo":   "02:38 * ada waves\n02:38 ada: two",
		"/mean":            "02:38 ada: /mean",
		"so\n/me pretends": "02:38 ada: so\n02:38 ada: /me pretends",
	} {
		if got := Signed(at, "ada", text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
