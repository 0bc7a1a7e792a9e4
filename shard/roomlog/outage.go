package roomlog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	overAfter   = 3 * time.Second // without a failure: one answer among failures ends no outage
	anewAfter   = time.Minute     // without anybody asking: what fails then is told again
	remindEvery = time.Minute     // so long as it lasts: by then it does not heal itself
)

// Outage tells of a log that fails: a warning when that begins, an error each
// minute that it lasts, since a person has to see to it then, and once that it is
// over. It is asked again and again meanwhile, by everybody who waits for it: what
// fails in between is said at Debug.
type Outage struct {
	logger      *slog.Logger
	begun, over string

	failing atomic.Bool // spares those who are answered the lock

	mu           sync.Mutex
	since, until time.Time // first and last failure
	told         time.Time // last time that more than Debug was said of it
}

// NewOutage makes an Outage with what it is to say; nothing where that is empty.
func NewOutage(logger *slog.Logger, begun, over string) *Outage {
	return &Outage{logger: logger, begun: begun, over: over}
}

// Note follows an answer of the log's: err is nil where it was a good one. That
// the caller has given up says nothing of the log.
func (o *Outage) Note(err error, about ...any) {
	if err == nil && !o.failing.Load() || errors.Is(err, context.Canceled) {
		return
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	quiet := now.Sub(o.until)
	if err == nil {
		if o.failing.Load() && quiet >= overAfter {
			o.failing.Store(false)
			o.say(slog.LevelInfo, o.over, append(about, "away", o.until.Sub(o.since).Round(time.Millisecond)))
		}
		return
	}
	level, about := slog.LevelDebug, append(about, "err", err)
	switch {
	case !o.failing.Load() || quiet >= anewAfter:
		o.failing.Store(true)
		o.since, o.told, level = now, now, slog.LevelWarn
	case now.Sub(o.told) >= remindEvery:
		o.told, level, about = now, slog.LevelError, append(about, "for", now.Sub(o.since).Round(time.Second))
	}
	o.until = now
	o.say(level, o.begun, about)
}

func (o *Outage) say(level slog.Level, words string, about []any) {
	if words != "" {
		o.logger.Log(context.Background(), level, words, about...)
	}
}
