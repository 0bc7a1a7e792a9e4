package comms

import (
	"os"
	"strings"
	"testing"
)

// TestProtocolPageNamesEveryTypeAndShowsOnlyWhatDecodes keeps PROTOCOL.md true.
func TestProtocolPageNamesEveryTypeAndShowsOnlyWhatDecodes(t *testing.T) {
	b, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	commands, events := samples()
	for _, c := range commands {
		if line := strings.TrimSpace(string(AppendCommand(nil, c))); !strings.Contains(page, line+"\n") {
			t.Errorf("command %s is not on the page", line)
		}
	}
	for _, e := range events {
		if line := strings.TrimSpace(string(AppendEvent(nil, e))); !strings.Contains(page, line+"\n") {
			t.Errorf("event %s is not on the page", line)
		}
	}
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, `{"_ct"`):
			_, err = DecodeCommand([]byte(line))
		case strings.HasPrefix(line, `{"_et"`):
			_, err = DecodeEvent([]byte(line))
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	code, err := os.ReadFile("code.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(code)) {
		if _, rest, ok := strings.Cut(line, `= "`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("code %s is not on the page", name)
			}
		}
	}
}
