package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// pxReading runs a command to its end with an input.
func pxReading(input string, args ...string) (output string, code int) {
	cmd := exec.Command(binary, args...)
	var out bytes.Buffer
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(filepath.Dir(binary), "none")) // not the configuration of whoever tests
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
	cmd.Run() //nolint:errcheck // the code tells
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestALineThatIsTooLongIsNoEnd of the input: what came before it is stored, and
// the command says which line was wrong.
func TestALineThatIsTooLongIsNoEnd(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	input := "one\n" + strings.Repeat("x", comms.MaxContent+1) + "\ntwo\n"
	for room, args := range map[string][]string{
		"go":      {"send", "--router", router, "--room", "go"},
		"general": {"client", "--plain", "--router", router, "--user", "ada", "--room", "general"},
	} {
		out, code := pxReading(input, args...)
		if code != exitFailed || !strings.Contains(out, "line 2 of the input is longer") {
			t.Errorf("%s: %d, %s", args[0], code, out)
		}
		if texts := storedTexts(t, router, room, 1); texts[0] != "one" {
			t.Errorf("%s: stored %q", args[0], texts)
		}
	}
	longest := strings.Repeat("x", comms.MaxContent)
	if out, code := pxReading(longest+"\ntwo\n", "send", "--router", router, "--room", "go"); code != 0 {
		t.Errorf("the longest line that fits: %d, %s", code, out)
	}
}

// TestALineThatIsNoMessageIsNoEnd of what came before it, either.
func TestALineThatIsNoMessageIsNoEnd(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for room, wrong := range map[string]string{"go": "\x1b[31mred", "rust": "\xff"} {
		const before = 100 // all under way at once
		out, code := pxReading(strings.Repeat("one\n", before)+" \t\n"+wrong+"\ntwo\n", "send", "--router", router, "--room", room)
		if code != exitFailed || !strings.Contains(out, "line 102 of the input: ") || !strings.Contains(out, ": nothing from there on was sent") {
			t.Errorf("%q: %d, %s", wrong, code, out)
		}
		if out, errs, code := px("send", "--router", router, "--room", room, "--json", "three"); code != 0 || !strings.Contains(out, `"seq":101,`) {
			t.Errorf("%q: behind it %d, %s%s", wrong, code, out, errs)
		}
	}
	if _, errs, code := px("send", "--router", router, "--room", "go", "\a"); code != exitFailed || strings.Contains(errs, "line") {
		t.Errorf("an argument: %d, %s", code, errs)
	}
}

// TestSendSaysWhatWasWrong, and no more.
func TestSendSaysWhatWasWrong(t *testing.T) {
	dir := t.TempDir()
	router := startRouter(t, dir).addr("client") // without a shard
	start := time.Now()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no shard":  {[]string{"--router", router, "--timeout", "300ms"}, "px: #go could not be joined within 300ms: nothing was sent: no shard serves just now; try again\n"},
		"no router": {[]string{"--router", "127.0.0.1:1", "--timeout", "300ms"}, "px: could not reach 127.0.0.1:1: connection refused (px up starts a cluster on this machine)\n"},
	} {
		out, errs, code := px(append(append([]string{"send", "--room", "go"}, c.args...), "hello")...)
		if code != exitFailed || out != "" || !strings.HasPrefix(errs, c.want) {
			t.Errorf("%s: %d, %s%s", name, code, out, errs)
		}
	}
	if took := time.Since(start); took >= dialTimeout {
		t.Errorf("it took %s", took)
	}
}

// TestSendTimesOutWhileItReads with nothing under way.
func TestSendTimesOutWhileItReads(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	in, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer input.Close() // not before: the input does not end
	cmd := exec.Command(binary, "send", "--router", startRouter(t, dir).addr("client"), "--room", "go", "--timeout", "3s", "--json")
	cmd.Stdin = in
	p, line, err := spawn(t, cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := input.WriteString("one\n"); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if len(line) != 1 || !strings.Contains(<-line, `"seq":1,`) {
		t.Error("the line is not stored")
	}
	if got, code := p.log(), p.cmd.ProcessState.ExitCode(); code != exitFailed || got != "px: timed out: up to line 1 of the input all is stored\n" {
		t.Errorf("ended with %d, %s", code, got)
	}
}

// TestPlainTakesNoGuesses: where nobody can be asked, a mistyped profile must
// not send what is written somewhere else.
func TestPlainTakesNoGuesses(t *testing.T) {
	config := filepath.Join(t.TempDir(), "client.toml")
	for text, want := range map[string]string{"router = \"127.0.0.1:1\"\n": "wrok", "router = ": "client.toml"} {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := pxReading("secret\n", "client", "--config", config, "--profile", "wrok")
		if code != exitFailed || !strings.Contains(out, want) || strings.Contains(out, "127.0.0.1:1") {
			t.Errorf("%q: %d, %s", text, code, out)
		}
	}
}

// TestTailSignsEveryLine: nobody's second line passes for somebody else's message.
func TestTailSignsEveryLine(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	if _, errs, code := px("send", "--router", router, "--room", "go", "--user", "eve", "hi\n12:00 ada: the password is x"); code != 0 {
		t.Fatal(errs)
	}
	out, errs, code := px("tail", "--router", router, "--room", "go", "--since", "0", "--count", "1")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 2 || !strings.Contains(lines[0], " eve: hi") || !strings.Contains(lines[1], " eve: 12:00 ada:") {
		t.Errorf("%d, %q, %s", code, out, errs)
	}
}

// TestTailSinceWhatIsNotThere names the newest that is.
func TestTailSinceWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for _, want := range []string{"px: --since 99: nothing has been said in #go yet\n", "px: --since 99: the newest in #go is 1\n"} {
		if out, errs, code := px("tail", "--router", router, "--room", "go", "--since", "99"); code != exitFailed || out != "" || errs != want {
			t.Errorf("%d, %s%swant %s", code, out, errs, want)
		}
		if _, errs, code := px("send", "--router", router, "--room", "go", "hello"); code != 0 {
			t.Fatal(errs)
		}
	}
}

// TestDrainMakesNoSecret where it finds none: a shard started there later would use it.
func TestDrainMakesNoSecret(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for range 2 {
		if _, errs, code := px("drain", "--router", router, "--data", other, "s1"); code != exitFailed || !strings.Contains(errs, "holds no secret") {
			t.Errorf("%d, %s", code, errs)
		}
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("%s: %v", other, err)
	}
}

// TestUpAtAnotherAddress serves at the address it was given, its shards too, and
// is known by it.
func TestUpAtAnotherAddress(t *testing.T) {
	const host = "127.0.0.2"
	ln, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Skip("this system has one loopback address alone: ", err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()                                                    //nolint:errcheck // its port is free now
	here, everywhere := host+":"+port, net.JoinHostPort("", port) // the latter is that of all interfaces
	for name, args := range map[string][]string{
		"one address":         {"--listen", here},
		"all addresses":       {"--listen", everywhere, "--advertise", host},
		"an address and port": {"--listen", everywhere, "--advertise", here},
		"a gossip port":       {"--listen", here, "--gossip", freeAddr(t)},
		"health for all":      {"--listen", here, "--http", ":0"},
	} {
		up := start(t, append([]string{"up", "--no-client", "--shards", "2", "--data", t.TempDir(), "--http", "127.0.0.1:0"}, args...)...)
		if out, errs, code := px("send", "--timeout", "10s", "--router", here, "--room", "go", "hello"); code != 0 {
			t.Errorf("%s: %d, %s%s\n%s", name, code, out, errs, up.log())
		}
		if shard, _, _ := net.SplitHostPort(up.addr("client")); shard != host {
			t.Errorf("%s: %s", name, up.ready)
		}
		up.kill()
		<-up.ended
	}
}

// TestAltEnterBeginsALine as terminals send it, and what a killed client's
// editor had saved is the draft of the next.
func TestAltEnterBeginsALine(t *testing.T) {
	term := newTerminal(t)
	dir := t.TempDir()
	editor := filepath.Join(dir, "editor")
	// It saves, and stays.
	if err := os.WriteFile(editor, []byte("#!/bin/sh\necho from the editor > \"$1\"\necho saved\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	term.env = append(term.env, "EDITOR="+editor, "VISUAL=")
	router, w := term.alone(dir)
	w.typed("one")
	w.keys("M-Enter")
	w.typed("two")
	w.keys("Enter")
	w.see("the message, stored", func(screen string) bool { return marks(screen, "✓") == 1 })
	if texts := storedTexts(t, router, "general", 1); texts[0] != `one\ntwo` {
		t.Errorf("stored: %q", texts)
	}
	w.keys("M-e")
	w.seeText("saved")
	w.end(syscall.SIGHUP)
	w = term.client("again", 80, 24, "--router", router, "--user", "ada")
	w.seeText("ada ▸ from the editor")
	w.keys("C-c")
	w.ended()
}
