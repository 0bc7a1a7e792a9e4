//go:build linux

package main

import "testing"

// TestTypingInTheCLocale: a bare container or service has it, and its terminal
// shows UTF-8 all the same.
func TestTypingInTheCLocale(t *testing.T) {
	for _, locale := range []string{"LC_ALL=C", "LC_ALL=POSIX"} {
		p := onPty(t, append(homes(t), locale))
		p.until(t, "Which name will you use?")
		if _, err := p.master.WriteString("é日"); err != nil {
			t.Fatal(err)
		}
		p.until(t, "é")
		p.until(t, "日")
	}
}

// TestACharacterSetThatIsNotUTF8 is named, with what to do.
func TestACharacterSetThatIsNotUTF8(t *testing.T) {
	p := onPty(t, append(homes(t), "LC_ALL=en_US.ISO-8859-1"))
	p.until(t, "for example LC_ALL=C.UTF-8")
	p.cmd.Wait() //nolint:errcheck // it is to fail
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("ended with %d", code)
	}
}
