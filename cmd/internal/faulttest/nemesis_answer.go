package faulttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files that arm what an append answers; see package shard/failpoint.
const (
	armSlow   = "append-slow"
	armRefuse = "append-refuse"
	armLose   = "append-lose"
)

// answers arms the failpoints that fail appends, as long as their files exist.
func answers(folder string) (env string) {
	for _, a := range []struct{ place, file string }{
		{"roomlog.append.beforeBegin=delay:700ms-1200ms", armSlow},
		{"roomlog.append.refuse=fail", armRefuse},
		{"roomlog.append.lose=fail", armLose},
	} {
		env += a.place + "@" + filepath.Join(folder, a.file) + ";"
	}
	return env
}

func answerNemeses() []Nemesis {
	return []Nemesis{
		{Name: "refuse", Least: time.Second, Most: 3 * time.Second, Limits: Limits{Max: 5 * time.Second}, Others: others, Still: true, Run: answer(armSlow, armRefuse)},
		{Name: "lose-answer", Least: time.Second, Most: 3 * time.Second, Limits: others, Others: others, Still: true, Run: answer(armLose)},
	}
}

// answer has appends of the hot room's owner fail until one has. With armSlow
// they take so long that people have sent more when they hear of it, and what
// they have sent by then is taken.
func answer(files ...string) func(context.Context, *Episode) error {
	return func(ctx context.Context, e *Episode) error {
		p, err := e.OwnerOf(e.Load.Hot())
		if err != nil {
			return err
		}
		failed := func() int { return strings.Count(p.Logged(), ": fail\n") }
		before := failed()
		disarm := func() {
			for _, name := range files {
				os.Remove(filepath.Join(p.arm, name)) //nolint:errcheck // removed by its deferred call, too
			}
		}
		defer disarm()
		e.Began(p.Name)
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(p.arm, name), nil, 0o600); err != nil {
				return err
			}
		}
		err = until(ctx, 5*time.Second, "append that fails", func() bool { return failed() > before })
		disarm()
		pass(ctx, e.Length)
		if err != nil {
			return fmt.Errorf("of %s: %w", p.Name, err)
		}
		return nil
	}
}
