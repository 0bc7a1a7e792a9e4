package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestSendInterruptedSaysWhatIsStored: a script can go on behind it.
func TestSendInterruptedSaysWhatIsStored(t *testing.T) {
	dir := t.TempDir()
	shard := startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	for name, c := range map[string]struct {
		freeze bool
		want   string
	}{
		"all":  {false, `^px: interrupted: up to line 1 of the input all is stored\n$`},
		"some": {true, `^px: interrupted: up to line 1 of the input all is stored; \d+ messages not acknowledged: \S+( \S+){50,}\n$`},
	} {
		in, input, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		defer input.Close() // not before: the input does not end
		cmd := exec.Command(binary, "send", "--router", router, "--room", "go", "--json")
		cmd.Stdin = in
		send, stored, err := spawn(t, cmd)
		if err != nil {
			t.Fatal(err)
		}
		write := func(text string) {
			if _, err := input.WriteString(text); err != nil {
				t.Fatal(err)
			}
		}
		write("one\n")
		<-stored
		if c.freeze {
			shard.signal(syscall.SIGSTOP)
			awaitState(t, shard, 'T')
			// Most of it was read once it is written: no pipe holds so much.
			write(strings.Repeat(strings.Repeat("x", 1000)+"\n", 200))
		}
		send.signal(syscall.SIGINT)
		<-send.ended
		if got, code := send.log(), cmd.ProcessState.ExitCode(); code != exitInterrupted || !regexp.MustCompile(c.want).MatchString(got) {
			t.Errorf("%s: ended with %d, %swant %s", name, code, got, c.want)
		}
		shard.signal(syscall.SIGCONT)
	}
}

// TestExportInterruptedPromisesNothingItCannotKeep: what went to standard output
// cannot be looked at by the next.
func TestExportInterruptedPromisesNothingItCannotKeep(t *testing.T) {
	dir := t.TempDir()
	startShard(t, dir, "s1")
	router := startRouter(t, dir).addr("client")
	if out, code := pxReading(strings.Repeat(strings.Repeat("x", 1000)+"\n", 200), "send", "--router", router, "--room", "go"); code != 0 {
		t.Fatal(out)
	}
	out, stdout, err := os.Pipe() // that nobody reads: it is full before all is written
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer stdout.Close()
	var errs bytes.Buffer
	cmd := exec.Command(binary, "export", "--data", dir, "-")
	cmd.Stdout, cmd.Stderr = stdout, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // it may have ended
	go io.Copy(io.Discard, out)        //nolint:errcheck // ends with the test
	cmd.Wait()                         //nolint:errcheck // the code tells
	if got, code := errs.String(), cmd.ProcessState.ExitCode(); code != exitInterrupted || got != "px: interrupted: what was written is no whole export\n" {
		t.Errorf("ended with %d, %s", code, got)
	}
}
