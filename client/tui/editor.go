package tui

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"positivity-exchange/client/state"
)

// editorEnds is how long an editor may take to end when the client must.
const editorEnds = 2 * time.Second

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
	draft := r.Draft.String()
	path, err := draftFile(draft)
	if err == nil {
		err = a.screen.Suspend()
	}
	if err != nil {
		a.say("%s: %v", name, err)
		return
	}
	a.suspended, a.edited, a.editedIn = true, path, r.Name
	a.effect(func(ctx context.Context) func() {
		cmd := exec.CommandContext(ctx, words[0], append(words[1:], path)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		// If the client must end, the editor may put the terminal in order first.
		cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGHUP) }, editorEnds
		err := cmd.Run()
		return func() {
			a.suspended = false
			a.canvas.forget()
			if resume := a.screen.Resume(); resume != nil {
				a.opts.Logger.Error("the screen after the editor", "err", resume)
				a.quit = true
				return
			}
			moved := a.edited != path
			a.edited = ""
			saved, unread := os.ReadFile(path)
			switch {
			case moved:
				a.say("%s; what you wrote for the other is in %s", a.st.Notice, path)
				return
			case err == nil && unread == nil:
				a.takeEdited(saved)
			case unread == nil && string(saved) != draft:
				a.say("%s: %v; the line is as it was, what was saved is in %s", name, err, path)
				return
			default:
				a.say("%s: %v; the line is as it was", name, errors.Join(err, unread))
			}
			os.Remove(path) //nolint:errcheck // a temporary file
		}
	})
}

// takeEdited makes what the editor has saved the draft of the room that it was opened
// in. Another one may be open by now: a room is left, or refused, meanwhile.
func (a *app) takeEdited(saved []byte) {
	a.st = a.st.Update(a.editedIn, func(r *state.Room) { r.Draft = r.Draft.Set(strings.TrimRight(string(saved), "\n")) })
	if a.editedIn != a.st.Active {
		a.say("what you wrote is in the line of #%s", a.editedIn)
	}
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
