package sqlitelog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"positivity-exchange/shard/failpoint"
	"positivity-exchange/shard/roomlog"
)

// The roll is one file per boot, written by that boot's process alone, whole
// and by rename: a process stopped in the middle blocks nobody. It is not
// synced: after a power cut nobody of whom it tells lives, and what it left
// half of is skipped.

func (l *Log) entryPath(boot string) string { return filepath.Join(l.dir, "roll", boot+".json") }

func (l *Log) writeEntry(e roomlog.Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	path := l.entryPath(e.Boot)
	if err := writeFile(path+".tmp", b, false); err != nil {
		return fmt.Errorf("%w: roll: %w", roomlog.ErrRefused, err)
	}
	failpoint.Hit("roomlog.beat.inWrite")
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("%w: roll: %w", roomlog.ErrRefused, err)
	}
	return nil
}

// Register puts p on the roll.
func (l *Log) Register(_ context.Context, p roomlog.Process) error {
	return l.writeEntry(roomlog.Entry{Process: p, Beat: 1})
}

// Beat renews the entry of boot.
func (l *Log) Beat(ctx context.Context, boot string, wants []int) ([]roomlog.Entry, error) {
	entries, err := l.Entries(ctx)
	if err != nil {
		return nil, err
	}
	var own *roomlog.Entry
	for i := range entries {
		if entries[i].Boot == boot {
			own = &entries[i]
		}
	}
	if own == nil {
		if _, err := os.ReadFile(l.entryPath(boot)); errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("roll: %w", err) // there it is, though others skip it
		}
		return nil, fmt.Errorf("%w: no entry of %s on the roll", roomlog.ErrNameTaken, boot)
	}
	for _, e := range entries {
		if e.Name == own.Name && e.Boot > boot {
			return nil, fmt.Errorf("%w: %s is %s", roomlog.ErrNameTaken, e.Name, e.Boot)
		}
	}
	next := *own
	next.Beat++
	next.Wants = wants
	return entries, l.writeEntry(next)
}

// Strike removes the entry of boot.
func (l *Log) Strike(_ context.Context, boot string) error {
	if err := os.Remove(l.entryPath(boot)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("roll: %w", err)
	}
	return nil
}

// Entries reads the whole roll; damaged entries are skipped, and those that
// another user's process keeps, which serves nobody here.
func (l *Log) Entries(context.Context) ([]roomlog.Entry, error) {
	files, err := os.ReadDir(filepath.Join(l.dir, "roll"))
	if err != nil {
		return nil, fmt.Errorf("roll: %w", err)
	}
	var entries []roomlog.Entry
	for _, f := range files {
		boot, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok {
			continue
		}
		b, err := os.ReadFile(l.entryPath(boot))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("roll: %w", err)
		}
		var e roomlog.Entry
		if json.Unmarshal(b, &e) == nil && e.Boot == boot {
			entries = append(entries, e)
		}
	}
	return entries, nil
}
