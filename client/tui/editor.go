package tui

import (
	"context"
	"os"
	"os/exec"
	"strings"

	"positivity-exchange/client/state"
)

// editor lets the draft be written in $EDITOR. Messages go on coming meanwhile;
// they are drawn when the editor has ended.
func (a *app) editor() {
	r := a.st.Current()
	name := os.Getenv("VISUAL")
	if name == "" {
		name = os.Getenv("EDITOR")
	}
	words := strings.Fields(name)
	if r == nil || len(words) == 0 {
		a.say("set EDITOR to the editor to write with")
		return
	}
	path, err := draftFile(r.Draft.String())
	if err == nil {
		err = a.screen.Suspend()
	}
	if err != nil {
		a.say("%s: %v", name, err)
		return
	}
	a.suspended = true
	a.effect(func(ctx context.Context) func() {
		defer os.Remove(path) //nolint:errcheck // a temporary file
		cmd := exec.CommandContext(ctx, words[0], append(words[1:], path)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		err := cmd.Run()
		var b []byte
		if err == nil {
			b, err = os.ReadFile(path)
		}
		return func() {
			a.suspended = false
			a.canvas.forget()
			if resume := a.screen.Resume(); resume != nil {
				a.opts.Logger.Error("the screen after the editor", "err", resume)
				a.quit = true
				return
			}
			if err != nil {
				a.say("%s: %v; the line is as it was", name, err)
				return
			}
			a.edit(func(in state.Input) state.Input { return in.Set(strings.TrimRight(string(b), "\n")) })
		}
	})
}

// draftFile writes what is to be edited.
func draftFile(text string) (path string, err error) {
	f, err := os.CreateTemp("", "px-*.txt")
	if err != nil {
		return "", err
	}
	if _, err = f.WriteString(text); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}
