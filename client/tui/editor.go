package tui

import (
	"os"
	"os/exec"
	"strings"

	"positivity-exchange/client/state"
)

// editor lets the draft be written in $EDITOR.
func (a *app) editor() {
	r := a.st.Current()
	name := os.Getenv("VISUAL")
	if name == "" {
		name = os.Getenv("EDITOR")
	}
	if r == nil || name == "" {
		a.say("set EDITOR to the editor to write with")
		return
	}
	text, err := a.editWith(name, r.Draft.String())
	if err != nil {
		a.say("%s: %v", name, err)
		return
	}
	a.edit(func(in state.Input) state.Input { return in.Set(text) })
}

func (a *app) editWith(name, text string) (edited string, err error) {
	f, err := os.CreateTemp("", "px-*.txt")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a temporary file
	if _, err = f.WriteString(text); err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", err
	}
	if err := a.screen.Suspend(); err != nil {
		return "", err
	}
	words := strings.Fields(name)
	cmd := exec.CommandContext(a.ctx, words[0], append(words[1:], f.Name())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	a.canvas.forget()
	if resume := a.screen.Resume(); resume != nil {
		return "", resume
	}
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(f.Name())
	return strings.TrimRight(string(b), "\n"), err
}
