package jetstreamlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"positivity-exchange/shard/roomlog"
)

// The roll is a stream that keeps one message per boot: a heartbeat replaces
// the one before, so it stays as small as the cluster. An entry that is struck
// off is purged.

func (l *Log) entrySubject(boot string) (string, error) {
	if !validToken(boot) {
		return "", fmt.Errorf("%w: %q cannot be a boot id", roomlog.ErrRefused, boot)
	}
	return rollName(l.cluster) + "." + boot, nil
}

// rollEntry is an entry and the stream sequence it stands at.
type rollEntry struct {
	roomlog.Entry
	at uint64
}

// Register puts p on the roll.
func (l *Log) Register(ctx context.Context, p roomlog.Process) error {
	ctx, done, err := l.begin(ctx, ownerFor)
	if err != nil {
		return err
	}
	defer done()
	return l.writeEntry(ctx, roomlog.Entry{Process: p, Beat: 1}, nil)
}

// writeEntry writes e; with over, only in place of that entry.
func (l *Log) writeEntry(ctx context.Context, e roomlog.Entry, over *rollEntry) error {
	subject, err := l.entrySubject(e.Boot)
	if err != nil {
		return err
	}
	m := nats.NewMsg(subject)
	if m.Data, err = json.Marshal(e); err != nil {
		return err
	}
	if over != nil {
		expect(m, subject, over.at)
	}
	_, err = l.write(ctx, []*nats.Msg{m}, "roomlog.beat.inWrite", func(ctx context.Context, _ uint64) (uint64, bool, error) {
		now, err := l.leader(ctx, rollName(l.cluster), request{LastFor: subject})
		if errors.Is(err, errNone) { // struck off meanwhile
			return 0, false, nil
		}
		return now.at, string(now.data) == string(m.Data), err
	})
	if errors.Is(err, errStale) {
		return fmt.Errorf("%w: the entry of %s was changed by another", roomlog.ErrNameTaken, e.Boot)
	}
	if err != nil {
		return fmt.Errorf("roll: %w", err)
	}
	return nil
}

// Beat renews the entry of boot.
func (l *Log) Beat(ctx context.Context, boot string, wants []int) ([]roomlog.Entry, error) {
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return nil, err
	}
	defer done()
	entries, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(entries, func(e rollEntry) bool { return e.Boot == boot })
	if i < 0 {
		return nil, fmt.Errorf("%w: no entry of %s on the roll", roomlog.ErrNameTaken, boot)
	}
	own := entries[i]
	for _, e := range entries {
		if e.Name == own.Name && e.Boot > boot {
			return nil, fmt.Errorf("%w: %s is %s", roomlog.ErrNameTaken, e.Name, e.Boot)
		}
	}
	next := own.Entry
	next.Beat++
	next.Wants = wants
	return plain(entries), l.writeEntry(ctx, next, &own)
}

// Strike removes the entry of boot.
func (l *Log) Strike(ctx context.Context, boot string) error {
	subject, err := l.entrySubject(boot)
	if err != nil {
		return err
	}
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return err
	}
	defer done()
	for {
		attempt, cancel := l.line.try(ctx)
		s, err := l.js.Stream(attempt, rollName(l.cluster))
		if err == nil {
			err = s.Purge(attempt, jetstream.WithPurgeSubject(subject))
		}
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("strike %s off the roll: %w", boot, unreachable(rollName(l.cluster), err))
		}
	}
}

// Entries reads the whole roll; damaged entries are skipped.
func (l *Log) Entries(ctx context.Context) ([]roomlog.Entry, error) {
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := l.entries(ctx)
	if err != nil {
		return nil, err
	}
	return plain(found), nil
}

func plain(found []rollEntry) []roomlog.Entry {
	entries := make([]roomlog.Entry, len(found))
	for i, e := range found {
		entries[i] = e.Entry
	}
	return entries
}

// entries reads the roll from a replica that has what the leader has: a lagging
// one would make the living look silent.
func (l *Log) entries(ctx context.Context) ([]rollEntry, error) {
	stream := rollName(l.cluster)
	newest, err := l.leader(ctx, stream, request{LastFor: stream + ".>"})
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for {
		found, err := l.entriesAt(ctx, stream, []string{stream + ".>"}, newest.at)
		if errors.Is(err, errTooMany) {
			found, err = l.manyEntries(ctx, stream, newest.at)
		}
		if err == nil {
			return decodeEntries(stream, found), nil
		}
		if ctx.Err() != nil || pause(ctx, 5*time.Millisecond) != nil {
			return nil, unreachable(stream, err)
		}
	}
}

// entriesAt reads the entries of subjects once, from a replica that has got to upTo.
func (l *Log) entriesAt(ctx context.Context, stream string, subjects []string, upTo uint64) ([]message, error) {
	found, reached, err := l.replica(ctx, stream, request{MultiLast: subjects})
	if err == nil && reached < upTo {
		err = errLagging
	}
	return found, err
}

// manyEntries reads a roll that is too large for one answer: the dead that
// nobody strikes, routers named at random, stay on it for rollAge. A page is of
// its own moment, as heartbeats are. Nobody who was on the roll at upTo and still
// is may be missed: who does not find itself there has to exit.
func (l *Log) manyEntries(ctx context.Context, stream string, upTo uint64) (found []message, err error) {
	var subjects []string
	for total := 1; len(subjects) < total; {
		info, err := l.info(ctx, stream, stream+".>", len(subjects))
		if err == nil && info.State.LastSeq < upTo {
			err = errLagging
		}
		if err != nil {
			return nil, err
		}
		if len(info.State.Subjects) == 0 {
			break
		}
		subjects, total = slices.AppendSeq(subjects, maps.Keys(info.State.Subjects)), info.Total
	}
	slices.Sort(subjects)
	for page := range slices.Chunk(slices.Compact(subjects), pageMessages) {
		entries, err := l.entriesAt(ctx, stream, page, upTo)
		if err != nil {
			return nil, err // a page that was struck off altogether, too: it does not tell how far it is
		}
		found = append(found, entries...)
	}
	return found, nil
}

func decodeEntries(stream string, found []message) []rollEntry {
	var entries []rollEntry
	for _, m := range found {
		e := rollEntry{at: m.at}
		if json.Unmarshal(m.data, &e.Entry) == nil && stream+"."+e.Boot == m.subject {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b rollEntry) int { return strings.Compare(a.Boot, b.Boot) })
	return entries
}
