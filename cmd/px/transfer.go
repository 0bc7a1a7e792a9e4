package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/transfer"
)

func transferFlags() []cli.Flag {
	return append([]cli.Flag{
		flag("data", app.DefaultData(), "data `DIR`ectory of the SQLite files"),
		flag("log-level", "warn", "debug, info, warn or error; logs go to standard error"),
	}, logFlags()...)
}

func exportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write all rooms to a file of JSON lines", UsageText: "px export [--log nats://host] rooms.jsonl",
		Description: "Reads the room log itself, whether a cluster runs on it or not. FILE may be - for standard output.\n" +
			"Interrupted, it goes on where it was when it is started again with the same FILE.",
		ArgsUsage: "FILE",
		Flags:     transferFlags(),
		Action: func(c *cli.Context) error {
			return carry(c, "exported", openStored, func(ctx context.Context, log roomlog.Log, path string, opts transfer.Options) (transfer.Summary, error) {
				if err := hasRooms(ctx, log); err != nil {
					return transfer.Summary{}, err
				}
				if path == "-" {
					return transfer.Export(ctx, log, os.Stdout, opts)
				}
				return transfer.ExportFile(ctx, log, path, opts)
			})
		},
	}
}

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "store all rooms of an export in an empty room log", UsageText: "px import [--log nats://host] rooms.jsonl",
		Description: "No shard may use the log meanwhile. FILE may be - for standard input. What is stored is read back and\n" +
			"compared. Interrupted, it goes on where it was when it is started again with the same FILE.",
		ArgsUsage: "FILE",
		Flags:     transferFlags(),
		Action: func(c *cli.Context) error {
			if err := oneArg(c); err != nil {
				return err
			}
			in := os.Stdin
			if path := c.Args().First(); path != "-" {
				var err error
				if in, err = os.Open(path); err != nil { // before the log is made where there is none
					return err
				}
				defer in.Close() //nolint:errcheck // only read
			}
			return carry(c, "imported", app.OpenLog, func(ctx context.Context, log roomlog.Log, _ string, opts transfer.Options) (transfer.Summary, error) {
				return transfer.Import(ctx, log, in, opts)
			})
		},
	}
}

// openStored opens a room log without making the files or streams of one that is
// not there: a mistyped --data would pass for a cluster without rooms.
func openStored(cfg app.Config) (roomlog.Log, error) {
	if cfg.Log == "" {
		_, err := os.Stat(filepath.Join(cfg.Data, "cluster.json"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s holds no rooms of a cluster: name its --data, or its --log if they are on NATS", cfg.Data)
		}
		if err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
	}
	cfg.NATS.Existing = true
	return app.OpenLog(cfg)
}

// hasRooms refuses a log without any: its export would be taken for a backup.
// Those that come with px are in it once they are used.
func hasRooms(ctx context.Context, log roomlog.Log) error {
	for p := range membership.Partitions {
		rooms, err := log.Rooms(ctx, p, "", 1)
		if errors.Is(err, roomlog.ErrRefused) || len(rooms) > 0 {
			return nil // the export asks again for as long as the log takes to answer
		}
		if err != nil {
			return err
		}
	}
	return errors.New("no room was ever used here, nothing is exported: look at --data, or at --log and --cluster")
}

// carry opens the room log and runs an export or import with its progress shown.
func carry(c *cli.Context, done string, open func(app.Config) (roomlog.Log, error), run func(context.Context, roomlog.Log, string, transfer.Options) (transfer.Summary, error)) error {
	if err := oneArg(c); err != nil {
		return err
	}
	logger, err := loggerTo(c, os.Stderr)
	if err != nil {
		return err
	}
	cfg := logConfig(c)
	cfg.Logger = logger
	log, err := open(cfg)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // all that was acknowledged is in
	p := &progress{progressLine: newProgressLine(os.Stderr)}
	sum, err := run(c.Context, log, c.Args().First(), transfer.Options{
		Partitions: membership.Partitions, Progress: p.show,
		Note: func(format string, args ...any) { fmt.Fprintf(os.Stderr, "px: "+format+"\n", args...) },
	})
	p.clear()
	if err != nil && c.Context.Err() != nil {
		fmt.Fprintln(os.Stderr, "px: interrupted: the same command goes on from here")
		return errInterrupted
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s %s\n", done, sum)
	return nil
}

// progress shows how far a transfer is.
type progress struct {
	progressLine
	start time.Time
	last  time.Time
	first uint64 // done when it was first shown: of an earlier run
}

const (
	showEvery = 100 * time.Millisecond
	barWidth  = 24
)

func (p *progress) show(done, of uint64) {
	now := time.Now()
	if !p.on || now.Sub(p.last) < showEvery {
		return
	}
	if p.last.IsZero() {
		p.start, p.first = now, done
	}
	p.last = now
	p.write(transferLine(done, of, done-min(p.first, done), now.Sub(p.start)))
}

// transferLine draws done of `of` records, lately of them within took.
func transferLine(done, of, lately uint64, took time.Duration) string {
	of = max(of, done, 1)
	filled := int(done * barWidth / of)
	bar := make([]rune, barWidth)
	for i := range bar {
		bar[i] = '░'
		if i < filled {
			bar[i] = '█'
		}
	}
	line := fmt.Sprintf("%s %3d %%  %d of %d", string(bar), done*100/of, done, of)
	if rate := float64(lately) / took.Seconds(); took > time.Second && rate >= 1 {
		left := time.Duration(float64(of-done) / rate * float64(time.Second))
		line += fmt.Sprintf("  %.0f/s  %s left", rate, left.Round(time.Second))
	}
	return line
}
