package roomlog_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/shard/roomlog"
)

// TestOutageThatLasts needs a person, who may look for errors alone, and may look
// late: it is told again each minute, and between that nothing is.
func TestOutageThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		away := roomlog.NewOutage(slog.New(slog.NewTextHandler(&said, nil)), "cut off", "back")
		ask := func(err error, d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
				away.Note(err, "disk", "d")
			}
		}
		for name, c := range map[string]struct {
			lasts        time.Duration
			warn, errors int
		}{
			"a moment":      {10 * time.Second, 1, 0},
			"three minutes": {190 * time.Second, 1, 3},
		} {
			said.Reset()
			ask(errors.New("disk full"), c.lasts)
			ask(nil, 10*time.Second)
			count := func(words string) int { return strings.Count(said.String(), words) }
			if count("level=WARN msg=\"cut off\"") != c.warn || count("level=ERROR msg=\"cut off\"") != c.errors || count("level=INFO msg=back") != 1 || count("\n") != c.warn+c.errors+1 {
				t.Errorf("%s:\n%s", name, said.String())
			}
			if c.errors > 0 && !strings.Contains(said.String(), "for=1m0s") {
				t.Errorf("%s: for how long is not told:\n%s", name, said.String())
			}
			time.Sleep(2 * time.Minute)
		}
	})
}
