package router

import (
	"io"
	"strings"
	"testing"
)

// TestWebPageSaysNothing: any page that a browser shows can have it send lines to
// a router on the same machine, behind those of its request.
func TestWebPageSaysNothing(t *testing.T) {
	r := start(t)
	c := r.dial()
	c.say(
		"POST / HTTP/1.1\r", "Host: 127.0.0.1:8080\r", "Content-Type: text/plain\r", "\r",
		`{"_ct":"hello","v":1,"u":"eve"}`, `{"_ct":"ping","n":7}`,
	)
	rest, err := io.ReadAll(c.in)
	if got := string(rest); err == nil && (!strings.Contains(got, `"not_json"`) || strings.Count(got, `"error"`) > 1) {
		t.Errorf("it is not let go of after its first line: %s", got)
	}
	if got := string(rest); strings.Contains(got, `"welcome"`) || strings.Contains(got, `"pong"`) {
		t.Errorf("it is answered %s", got)
	}
}

// TestSlipOfTheTongueIsForgiven to those who have said who they are, or joined.
func TestSlipOfTheTongueIsForgiven(t *testing.T) {
	r := start(t)
	for _, said := range []string{hello, `{"_ct":"join_room","r":"go"}`} {
		c := r.dial()
		c.say(said, "hello?", `{"_ct":"ping","n":7}`)
		c.hear(`"not_json"`)
		c.hear(`"pong"`)
	}
}
