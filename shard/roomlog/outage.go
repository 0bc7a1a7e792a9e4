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
	overAfter = 3 * time.Second // without a failure: one answer among failures ends no outage
	anewAfter = time.Minute     // without anybody asking: what fails then is told again
)

// Outage tells of a log that fails: once when that begins and once when it is
// over. It is asked again and again meanwhile, by everybody who waits for it:
// what fails in between is said at Debug.
type Outage struct {
	logger      *slog.Logger
	begun, over string

	failing atomic.Bool // spares those who are answered the lock

	mu           sync.Mutex
	since, until time.Time // first and last failure
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
	level := slog.LevelDebug
	if !o.failing.Load() || quiet >= anewAfter {
		o.failing.Store(true)
		o.since, level = now, slog.LevelWarn
	}
	o.until = now
	o.say(level, o.begun, append(about, "err", err))
}

func (o *Outage) say(level slog.Level, words string, about []any) {
	if words != "" {
		o.logger.Log(context.Background(), level, words, about...)
	}
}
