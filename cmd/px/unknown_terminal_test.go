package main

import "testing"

// TestATerminalThatNobodyKnows is written to in lines, as a dumb one is: its
// description need not be installed where px runs, as over ssh.
func TestATerminalThatNobodyKnows(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	term.tmux("new-session", "-d", "-s", "new", "-x", "120", "-y", "24", "TERM=nobody-knows exec "+binary+" client --router "+router+" --user eve")
	w := &pane{term, "new"}
	w.seeText(`px: the terminal is not known here (TERM="nobody-knows"; xterm-256color may do): lines alone, as with --plain`)
	w.seeText("* you are in #general")
}
