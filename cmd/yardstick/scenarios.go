package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/cmd/internal/stress"
	"positivity-exchange/comms/tlsconn/testcert"
)

// scenario is a comparison that is more than the same profile on two servers.
type scenario struct {
	name, usage string
	flags       []cli.Flag
	run         func(c *bench, f *findings) error
}

// bench is what a scenario works with.
type bench struct {
	*cli.Context
	dir   string // temporary
	px    string
	logTo *os.File
	turn  int
	files testcert.Files // for TLS, once made
}

func scenarios() []scenario {
	return []scenario{
		{"neighbour", "latency beside a busy room of 1,000 sessions on the same shard", []cli.Flag{
			&cli.IntFlag{Name: "busy-sessions", Value: 1000, Usage: "`N` sessions in the busy room"},
			&cli.Float64Flag{Name: "busy-rate", Value: 50, Usage: "`N` messages a second in the busy room"},
		}, neighbour},
		{"spread", "CPU of 4 shards together beside that of 1, under the same load over 24 rooms", []cli.Flag{
			&cli.IntFlag{Name: "shards", Value: 4, Usage: "`N` shards"},
			&cli.Float64Flag{Name: "rate", Value: 500, Usage: "`N` messages a second in all; where they keep one shard busy, it writes several at once and many do not"},
			&cli.IntFlag{Name: "slices", Value: 3, Usage: "`N` runs of each in a turn, one after the other"},
		}, spreadLoad},
		{"history", "CPU of a message in a room with a long history beside that in a new one", []cli.Flag{
			&cli.IntFlag{Name: "messages", Value: 1_000_000, Usage: "`N` messages of history"},
		}, history},
		{"opening", "how long a shard takes to start on a full store, and to answer in a room not open", []cli.Flag{
			&cli.IntFlag{Name: "messages", Value: 1_000_000, Usage: "`N` messages in the store, over all partitions"},
		}, opening},
		{"between", "bytes that shards exchange for each chat message", []cli.Flag{
			&cli.IntFlag{Name: "shards", Value: 4, Usage: "`N` shards"},
			&cli.Float64Flag{Name: "rate", Value: 500, Usage: "`N` messages a second in all"},
		}, between},
		{"tls", "the same profiles under TLS, with a certificate made for it, and without", []cli.Flag{
			&cli.StringSliceFlag{Name: "profile", Usage: "`NAME` of a profile; may be repeated", Value: cli.NewStringSlice("fanout", "rooms", "small", "latency")},
			&cli.IntFlag{Name: "shards", Value: 1, Usage: "`N` shards"},
		}, secure},
	}
}

func (s scenario) command() *cli.Command {
	common := []cli.Flag{
		&cli.StringFlag{Name: "px", Usage: "`FILE` of px (default: built from this module)"},
		&cli.IntFlag{Name: "runs", Value: 3, Usage: "`N` turns"},
		&cli.DurationFlag{Name: "duration", Value: 5 * time.Second, Usage: "measured time of a run"},
		apartFlag(),
		&cli.BoolFlag{Name: "json", Usage: "print an array"},
		&cli.StringFlag{Name: "log", Usage: "`FILE` for what px logs", Value: os.DevNull},
	}
	return &cli.Command{Name: s.name, Usage: s.usage, Flags: append(common, s.flags...), HideHelpCommand: true, Action: func(c *cli.Context) error {
		logTo, err := os.OpenFile(c.String("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer logTo.Close()
		dir, err := os.MkdirTemp("", "yardstick-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		px, err := pxFile(c, dir)
		if err != nil {
			return err
		}
		if c.Bool("apart") {
			if err := keepApart(); err != nil {
				return err
			}
		}
		b := &bench{Context: c, dir: dir, px: px, logTo: logTo}
		var f findings
		for b.turn = range c.Int("runs") {
			if err := s.run(b, &f); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		return f.print(c)
	}}
}

func (b *bench) target(shards int, store string) pxTarget {
	return pxTarget{label: "px", path: b.px, shards: shards, logTo: b.logTo, store: store}
}

// run puts a profile on a target started for it.
func (b *bench) run(t target, p stress.Profile) (stress.Result, error) {
	return once(b.Context.Context, t, p)
}

// load puts a profile on a target that runs.
func (b *bench) load(r running, p stress.Profile) (stress.Result, error) {
	return stress.Run(b.Context.Context, r.dialect, p, stress.Options{Pids: r.pids, Others: r.others})
}

func named(name string, duration time.Duration) stress.Profile {
	p, err := stress.Named(name)
	if err != nil {
		panic(err) // the names stand in this program
	}
	p.Duration = duration
	return p
}

// spreadLoad measures the same load on one shard and on several. A turn's ratio
// is of several runs on each, one after the other: the machine changes within a
// minute by more than what is asked. No cluster stands while another is
// measured, since one that has nothing to do disturbs it all the same.
func spreadLoad(b *bench, f *findings) error {
	p := named("rooms", b.Duration("duration"))
	p.Window, p.Rate = 0, b.Float64("rate")
	many := b.Int("shards")
	cpu := map[int]float64{}
	for i := range b.Int("slices") {
		counts := []int{1, many}
		if (b.turn+i)%2 == 1 {
			counts = []int{many, 1}
		}
		for _, n := range counts {
			r, err := b.run(b.target(n, ""), p)
			if err != nil {
				return err
			}
			cpu[n] += r.CPU
			f.add(fmt.Sprintf("CPU us a delivery, %d shards", n), r.CPU)
			f.add(fmt.Sprintf("writes a delivery, %d shards", n), r.Writes)
			f.add(fmt.Sprintf("deliveries a second, %d shards", n), r.PerSecond)
		}
	}
	f.add(fmt.Sprintf("%d shards / 1, CPU", many), cpu[many]/cpu[1])
	return nil
}

// history measures small-room messages in an empty and in a long room.
func history(b *bench, f *findings) error {
	store := filepath.Join(b.dir, "long")
	p := named("small", b.Duration("duration"))
	p.Rooms, p.Sessions = 1, 5
	if b.turn == 0 {
		if err := fill(b.Context.Context, store, []string{"stress-0"}, b.Int("messages")); err != nil {
			return err
		}
	}
	stores := []string{"", store}
	if b.turn%2 == 1 {
		stores = []string{store, ""}
	}
	cost := map[string]float64{}
	for _, s := range stores {
		r, err := b.run(b.target(1, s), p)
		if err != nil {
			return err
		}
		label := "a new room"
		if s != "" {
			label = fmt.Sprintf("a room of %d messages", b.Int("messages"))
		}
		cost[s] = r.CPU
		f.add("CPU us a delivery in "+label, r.CPU)
		f.add("p50 us in "+label, float64(r.Latency.P50))
	}
	f.add("long / new, CPU", cost[store]/cost[""])
	return nil
}
