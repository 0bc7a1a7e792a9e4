package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/cmd/internal/stress"
)

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "px", Usage: "`FILE` of px (default: built from this module)"},
		&cli.StringFlag{Name: "against", Usage: "`FILE` of another build of px, measured in the same turns"},
		&cli.BoolFlag{Name: "no-nats", Usage: "leave NATS out"},
		&cli.StringSliceFlag{Name: "profile", Usage: "`NAME` of a profile; may be repeated", Value: cli.NewStringSlice("fanout", "rooms", "small", "latency")},
		&cli.IntFlag{Name: "runs", Value: 5, Usage: "`N` turns of each profile"},
		&cli.DurationFlag{Name: "duration", Value: 5 * time.Second, Usage: "measured time of a run"},
		&cli.DurationFlag{Name: "warmup", Value: time.Second, Usage: "traffic before"},
		&cli.IntFlag{Name: "shards", Value: 1, Usage: "shards of px, summed"},
		&cli.StringSliceFlag{Name: "arg", Usage: "`ARG`ument for the shards of --px, such as --arg=--sync=full; may be repeated"},
		&cli.StringSliceFlag{Name: "env", Usage: "`KEY=VALUE` for the shards of --px, such as --env=GOGC=50; may be repeated"},
		apartFlag(),
		&cli.BoolFlag{Name: "json", Usage: "print an object at the end in place of the tables"},
		&cli.StringFlag{Name: "log", Usage: "`FILE` for what px logs", Value: os.DevNull},
	}
}

func apartFlag() cli.Flag {
	return &cli.BoolFlag{Name: "apart", Usage: "servers on half of the processors, the load on the others: how the kernel mixes them does not count"}
}

// outcome is one run of one target.
type outcome struct {
	Target string        `json:"target"`
	Turn   int           `json:"turn"`
	Result stress.Result `json:"result"`
}

func compare(c *cli.Context) error {
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
	targets, err := targetsOf(c, dir, logTo)
	if err != nil {
		return err
	}
	if c.Bool("apart") {
		if err := keepApart(); err != nil {
			return err
		}
	}
	var reports []report
	for _, name := range c.StringSlice("profile") {
		p, err := stress.Named(name)
		if err != nil {
			return err
		}
		p.Duration = c.Duration("duration")
		if p.Warmup > 0 {
			p.Warmup = c.Duration("warmup")
		}
		rep := report{Profile: name}
		if !c.Bool("json") {
			rep.head(os.Stdout)
		}
		for turn := range c.Int("runs") {
			// Each turn begins with another, so that none always has the machine
			// as the same other one left it.
			for i := range targets {
				t := targets[(turn+i)%len(targets)]
				result, err := once(c.Context, t, p)
				if err != nil {
					return fmt.Errorf("%s, %s: %w\n%v", name, t.name(), err, result.Faults)
				}
				rep.Runs = append(rep.Runs, outcome{t.name(), turn + 1, result})
				if !c.Bool("json") {
					rep.row(os.Stdout, len(rep.Runs)-1)
				}
			}
		}
		rep.compare(targets)
		if !c.Bool("json") {
			rep.print(os.Stdout)
		}
		reports = append(reports, rep)
	}
	if c.Bool("json") {
		return json.NewEncoder(os.Stdout).Encode(reports)
	}
	return nil
}

// targetsOf lists what is measured, px first.
func targetsOf(c *cli.Context, dir string, logTo *os.File) ([]target, error) {
	px, err := pxFile(c, dir)
	if err != nil {
		return nil, err
	}
	targets := []target{pxTarget{label: "px", path: px, shards: c.Int("shards"), args: c.StringSlice("arg"), env: c.StringSlice("env"), logTo: logTo}}
	if !c.Bool("no-nats") {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		targets = append(targets, natsTarget{self})
	}
	if other := c.String("against"); other != "" {
		targets = append(targets, pxTarget{label: "against", path: other, shards: c.Int("shards"), logTo: logTo})
	}
	if c.Int("runs") < 1 {
		return nil, errNothing
	}
	return targets, nil
}

// pxFile is --px, or a build of this module's.
func pxFile(c *cli.Context, dir string) (string, error) {
	if px := c.String("px"); px != "" {
		return px, nil
	}
	px := filepath.Join(dir, "px")
	if out, err := exec.CommandContext(c.Context, "go", "build", "-o", px, "positivity-exchange/cmd/px").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build px: %w: %s", err, out)
	}
	return px, nil
}

// once starts a target, runs the profile and ends the target.
func once(ctx context.Context, t target, p stress.Profile) (stress.Result, error) {
	r, err := t.start(ctx)
	if err != nil {
		return stress.Result{}, err
	}
	defer r.stop()
	return stress.Run(ctx, r.dialect, p, stress.Options{Pids: r.pids, Others: r.others, Target: t.name()})
}
