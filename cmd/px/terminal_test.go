package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// terminal is a tmux server of the test's own, with clients in its windows: the
// nearest thing to a person at a terminal.
type terminal struct {
	t      testing.TB
	socket string
	env    []string
}

// newTerminal starts nothing yet; without tmux the test is skipped.
func newTerminal(t testing.TB) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: the client is not tried in a real terminal")
	}
	dir, err := os.MkdirTemp("", "px-tmux") // short: the path of a socket has a bound
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, socket: filepath.Join(dir, "s")}
	for _, v := range []string{"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
		term.env = append(term.env, v+"="+filepath.Join(dir, v))
	}
	t.Cleanup(func() {
		out, _ := exec.Command("tmux", "-S", term.socket, "list-panes", "-a", "-F", "#{pane_pid}").Output() //nolint:errcheck // it may have ended
		exec.Command("tmux", "-S", term.socket, "kill-server").Run()                                        //nolint:errcheck // the same
		awaitEnds(strings.Fields(string(out)))
		os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	})
	return term
}

// awaitEnds waits, for a while, until processes have ended that are not our
// children: a client that loses its terminal saves first, into its folders.
func awaitEnds(pids []string) {
	deadline := time.Now().Add(10 * time.Second)
	for _, pid := range pids {
		for n, err := strconv.Atoi(pid); err == nil && time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
			err = syscall.Kill(n, 0)
		}
	}
}

// tmux runs one command of tmux.
func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", term.socket, "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), append(term.env, "LC_ALL=C.UTF-8", "TMUX=")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pane is a session of one client.
type pane struct {
	*terminal
	name string
}

// client opens px client in a window of its own.
func (term *terminal) client(name string, width, height int, args ...string) *pane {
	term.t.Helper()
	command := "exec " + binary + " client"
	for _, arg := range args {
		command += " '" + arg + "'"
	}
	// Without a window the server would end, and a window that is opened just then with it.
	term.tmux("new-session", "-d", "-s", name, "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), command, ";", "set-option", "-g", "exit-empty", "off")
	return &pane{term, name}
}

// alone opens the client of ada, who is alone in the cluster of one shard below dir.
func (term *terminal) alone(dir string) (router string, w *pane) {
	term.t.Helper()
	startShard(term.t, dir, "s1")
	router = startRouter(term.t, dir).addr("client")
	w = term.client("ada", 80, 24, "--router", router, "--user", "ada")
	w.seeText("nobody has said anything yet")
	return router, w
}

func (w *pane) keys(names ...string) {
	w.t.Helper()
	w.tmux(append([]string{"send-keys", "-t", w.name}, names...)...)
}

// line types text and sends it.
func (w *pane) line(text string) {
	w.t.Helper()
	w.tmux("send-keys", "-t", w.name, "-l", text)
	w.keys("Enter")
}

func (w *pane) typed(text string) {
	w.t.Helper()
	w.tmux("send-keys", "-t", w.name, "-l", text)
}

func (w *pane) screen() string {
	w.t.Helper()
	return w.tmux("capture-pane", "-p", "-t", w.name)
}

// see waits until the screen is as it is to be.
func (w *pane) see(what string, done func(screen string) bool) string {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		screen := w.screen()
		if done(screen) {
			if testing.Verbose() {
				w.t.Logf("%s:\n%s", what, screen)
			}
			return screen
		}
		select {
		case <-deadline:
			w.t.Fatalf("%s is not on the screen:\n%s", what, screen)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (w *pane) seeText(text string) string {
	w.t.Helper()
	return w.see(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// pid is the client's process.
func (w *pane) pid() int {
	w.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(w.tmux("display-message", "-p", "-t", w.name, "#{pane_pid}")))
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

// end sends the client a signal and waits until its window has closed.
func (w *pane) end(s syscall.Signal) {
	w.t.Helper()
	if err := syscall.Kill(w.pid(), s); err != nil {
		w.t.Fatal(err)
	}
	w.ended()
}

func (w *pane) ended() {
	w.t.Helper()
	await(w.t, "the end of "+w.name, func() bool {
		return exec.Command("tmux", "-S", w.socket, "has-session", "-t", "="+w.name).Run() != nil
	})
}

// marks counts a mark at the right edge of the conversation.
func marks(screen, mark string) (n int) {
	for _, line := range strings.Split(screen, "\n") {
		if strings.HasSuffix(strings.TrimRight(line, " "), " "+mark) {
			n++
		}
	}
	return n
}

// storedTexts are the messages of a room as a fresh client reads them.
func storedTexts(t testing.TB, router, room string, n int) (texts []string) {
	t.Helper()
	out, errs, code := px("tail", "--router", router, "--room", room, "--since", "0", "--count", strconv.Itoa(n), "--json")
	if code != 0 {
		t.Fatalf("tail: %d, %s", code, errs)
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		_, text, _ := strings.Cut(line, `"content":"`)
		text, _, _ = strings.Cut(text, `"`)
		texts = append(texts, text)
	}
	return texts
}

// TestFromFirstRunToFirstMessage answers the only question and types; then
// pastes 30 lines, which are one message.
func TestFromFirstRunToFirstMessage(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	w := term.client("ada", 80, 24, "--router", router)
	w.seeText("Which name will you use?")
	w.line("ada")
	w.seeText("nobody has said anything yet")
	w.line("hello from a real terminal")
	w.see("the first message, stored", func(screen string) bool {
		return strings.Contains(screen, "hello from a real") && marks(screen, "✓") == 1
	})
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("line %d of what was pasted", i+1))
	}
	term.tmux("set-buffer", strings.Join(lines, "\n"))
	term.tmux("paste-buffer", "-p", "-t", "ada")
	w.seeText("A paste of 30 lines, as one message")
	w.keys("Enter")
	w.seeText("ada ▸ line 25 of what was pasted") // the end of it, with the cursor
	w.keys("Enter")
	w.see("the paste, stored", func(screen string) bool { return strings.Contains(screen, "#1-2, no gaps") && marks(screen, "·") == 0 })
	if texts := storedTexts(t, router, "general", 2); len(texts) != 2 || strings.Count(texts[1], `\n`) != 29 {
		t.Errorf("stored: %q", texts)
	}
	w.keys("C-c")
	w.ended()
}

// TestTypingThroughTheOwnersDeath kills the shard that serves the room, with a
// draft in another room, and types twenty messages meanwhile.
func TestTypingThroughTheOwnersDeath(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	shards := map[string]*process{"s1": startShard(t, dir, "s1"), "s2": startShard(t, dir, "s2")}
	router := startRouter(t, dir).addr("client")
	w := term.client("ada", 80, 40, "--router", router, "--user", "ada")
	w.seeText("nobody has said anything yet")
	w.line("/join go")
	w.seeText(" #go")
	w.typed("a draft that waits")
	w.keys("M-1")
	w.seeText(" #general")
	w.line("before")
	w.see("before, stored", func(screen string) bool { return marks(screen, "✓") == 1 })
	where, _, _ := px("where", "general", "--router", router)
	owner := ""
	for name := range shards {
		if strings.Contains(where, name) {
			owner = name
		}
	}
	if owner == "" {
		t.Fatalf("where: %s", where)
	}
	want := []string{"before"}
	shards[owner].signal(syscall.SIGKILL)
	for i := range 20 {
		text := fmt.Sprintf("message %02d", i+1)
		w.line(text)
		want = append(want, text)
	}
	screen := w.see("all marks at stored", func(screen string) bool {
		return marks(screen, "✓") == 21 && strings.Contains(screen, "#1-21, no gaps") && !strings.Contains(screen, "waiting")
	})
	if n := strings.Count(screen, "message 07"); n != 1 {
		t.Errorf("message 07 stands %d times on the screen", n)
	}
	if texts := storedTexts(t, router, "general", 21); strings.Join(texts, "|") != strings.Join(want, "|") {
		t.Errorf("stored: %q", texts)
	}
	w.keys("M-/")
	w.seeText("ada ▸ a draft that waits")
	w.keys("C-c")
	w.ended()
}

// TestKilledWithAQueuedOutbox ends the servers, then the client without a
// warning: what waits, drafts and history are there again, with servers or not,
// and beside another router of the cluster.
func TestKilledWithAQueuedOutbox(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	shard, routing := startShard(t, dir, "s1"), startRouter(t, dir)
	router := routing.addr("client")
	args := []string{"--router", router, "--user", "ada"}
	w := term.client("ada", 80, 24, args...)
	w.seeText("nobody has said anything yet")
	w.line("stored before")
	w.see("stored before", func(screen string) bool { return marks(screen, "✓") == 1 })
	w.keys("C-c") // so that the cache has it
	w.ended()
	shard.kill()
	routing.kill()

	w = term.client("again", 80, 24, args...)
	w.see("history without a server", func(screen string) bool {
		return strings.Contains(screen, "stored before") && strings.Contains(screen, "offline: no server at")
	})
	w.line("/join go") // for the first time
	w.line("queued in go")
	w.see("the first queued", func(screen string) bool { return marks(screen, "·") == 1 })
	w.keys("M-/")
	w.seeText("stored before")
	for i := range 3 {
		w.line(fmt.Sprint("queued ", i+1))
	}
	w.typed("half a sentence")
	w.see("three queued", func(screen string) bool {
		return marks(screen, "·") == 3 && strings.Contains(screen, "half a sentence") && strings.Contains(screen, "3 waiting to be sent")
	})
	saved := filepath.Join(strings.TrimPrefix(term.env[0], "XDG_STATE_HOME="), "positivity-exchange")
	await(t, "the draft on disk", func() bool {
		files, _ := filepath.Glob(filepath.Join(saved, "*", "client.json"))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "half a sentence") {
				return true
			}
		}
		return false
	})
	w.end(syscall.SIGKILL)

	startShard(t, dir, "s1")
	router = startRouter(t, dir).addr("client")
	w = term.client("third", 80, 24, "--router", router, "--user", "ada")
	w.see("all stored", func(screen string) bool {
		return marks(screen, "✓") == 4 && strings.Contains(screen, "#1-4, no gaps") && strings.Contains(screen, "half a sentence")
	})
	if texts := storedTexts(t, router, "general", 4); strings.Join(texts, "|") != "stored before|queued 1|queued 2|queued 3" {
		t.Errorf("stored: %q", texts)
	}
	if texts := storedTexts(t, router, "go", 1); texts[0] != "queued in go" {
		t.Errorf("stored in the other room: %q", texts)
	}
	// The terminal goes away: SIGHUP.
	w.typed(", and more")
	w.seeText("half a sentence, and more")
	w.tmux("kill-session", "-t", "third")
	await(t, "the draft, saved at SIGHUP", func() bool {
		files, _ := filepath.Glob(filepath.Join(saved, "*", "client.json"))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "half a sentence, and more") {
				return true
			}
		}
		return false
	})
}

// TestTerminalsOfAllKinds: windows of any size keep what was written; a broken
// configuration is named with its line; what cannot draw gets lines.
func TestTerminalsOfAllKinds(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	router, w := term.alone(dir)
	w.typed("half a sentence")
	for _, size := range [][2]string{{"1", "1"}, {"2", "2"}, {"7", "3"}, {"200", "50"}, {"40", "10"}} {
		term.tmux("resize-window", "-t", "ada", "-x", size[0], "-y", size[1])
		w.see("a window of "+size[0], func(screen string) bool {
			if size[1] == "10" || size[1] == "50" {
				return strings.Contains(screen, "half a sentence") && strings.Contains(screen, "? help")
			}
			return w.pid() > 0 // too small for anything: it lives on
		})
	}
	w.line(", whole now")
	w.see("the message", func(screen string) bool { return marks(screen, "✓") == 1 })
	config := filepath.Join(dir, "client.toml")
	if err := os.WriteFile(config, []byte("user = \"bob\"\ncolour = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bob := term.client("bob", 80, 24, "--router", router, "--user", "bob", "--config", config)
	bob.seeText("client.toml, line 2")
	term.tmux("new-session", "-d", "-s", "dumb", "-x", "80", "-y", "24", "TERM=dumb exec "+binary+" client --router "+router+" --user eve")
	dumb := &pane{term, "dumb"}
	dumb.seeText("* you are in #general")
	dumb.line("from a dumb one")
	bob.seeText("eve from a dumb one")
	w.seeText("from a dumb one")
}

// TestLinesAskAndRememberAName as the screen does, where a person reads them; a
// pipe's lines are a guest's.
func TestLinesAskAndRememberAName(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	w := term.client("first", 80, 24, "--plain", "--router", router)
	w.seeText("Which name will you use?")
	w.line("Not A Name")
	w.seeText("is no user name")
	w.line("ada")
	w.seeText("* you are in #general")
	w.line("/whoami")
	w.seeText("* you are ada")
	w.line("/quit")
	w.ended()

	w = term.client("second", 80, 24, "--plain", "--router", router)
	w.seeText("* you are in #general")
	w.line("/whoami")
	w.seeText("* you are ada")
	w.line("/quit")
	w.ended()

	pipe := exec.Command(binary, "client", "--plain", "--router", router)
	pipe.Env = append(os.Environ(), term.env...)
	pipe.Stdin = strings.NewReader("/whoami\n")
	if out, err := pipe.CombinedOutput(); err != nil || !strings.Contains(string(out), "* you are ") || strings.Contains(string(out), "* you are ada") {
		t.Errorf("through a pipe: %v, %s", err, out)
	}
}

// TestNothingIsLeftOfWideClusters: a terminal may draw an emoji with a skin tone
// wider than the client counts, over what stands behind it.
func TestNothingIsLeftOfWideClusters(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	_, w := term.alone(dir)
	w.typed("thanks 👍🏽")
	w.seeText("ada ▸ thanks 👍")
	w.keys("Enter")
	screen := w.see("the message, stored", func(screen string) bool { return marks(screen, "✓") == 1 })
	w.see("an empty line", func(screen string) bool {
		return strings.HasSuffix(strings.TrimSpace(lineOf(screen, "ada ▸")), "▸")
	})
	if n := strings.Count(screen, "🏽"); n > 1 {
		t.Errorf("it stands %d times on the screen:\n%s", n, screen)
	}
}

// lineOf is the line of a screen that has a text.
func lineOf(screen, text string) string {
	for _, line := range strings.Split(screen, "\n") {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
