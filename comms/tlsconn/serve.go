package tlsconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// againAfter is how long is waited when no connection could be taken; calmFor how
// long none may have failed for that to be over.
const (
	againAfter = 10 * time.Millisecond
	calmFor    = 3 * time.Second
)

// Serve gives each connection that comes to take, which must not keep it waiting,
// until ctx ends: then it closes ln. Where there is no descriptor left it tries
// on, since sessions that end free some, and tells of it once.
func Serve(ctx context.Context, ln net.Listener, logger *slog.Logger, take func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() }) //nolint:errcheck // ends the accept below
	defer stop()
	var since, latest time.Time // of the failures that go on
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close() //nolint:errcheck // nobody takes it any more
			}
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		case err == nil:
			if !since.IsZero() && time.Since(latest) >= calmFor {
				logger.Info("connections are taken again", "away", latest.Sub(since).Round(time.Millisecond))
				since = time.Time{}
			}
			take(nc)
			continue
		}
		level := slog.LevelDebug
		if latest = time.Now(); since.IsZero() {
			since, level = latest, slog.LevelWarn
		}
		logger.Log(ctx, level, "no connection can be taken; it is tried on", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(againAfter):
		}
	}
}
