package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/cmd/internal/stress"
)

// neighbour measures latency alone and beside a busy room, ours and NATS's.
func neighbour(b *bench, f *findings) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	targets := []target{b.target(1, ""), natsTarget{self}}
	if b.turn%2 == 1 {
		targets[0], targets[1] = targets[1], targets[0]
	}
	p99 := map[string]beside{}
	for _, t := range targets {
		if p99[t.name()], err = b.beside(t, self); err != nil {
			return err
		}
	}
	for _, t := range []string{"px", "nats"} {
		f.add(t+" p99 us, alone", p99[t].nobody)
		f.add(t+" p99 us, beside the busy room", p99[t].same)
		f.add(t+" p99 us, the busy room on another server here", p99[t].apart)
	}
	px, nats := p99["px"], p99["nats"]
	f.add("px / nats p99, alone", px.nobody/nats.nobody)
	f.add("px / nats p99, both beside the busy room", px.same/nats.same)
	f.add("px beside the busy room / px alone, p99", px.same/px.nobody)
	f.add("px beside the busy room / nats alone, p99", px.same/nats.nobody)
	f.add("px beside the busy room / px, that room elsewhere here", px.same/px.apart)
	f.add("nats beside the busy room / nats, that room elsewhere here", nats.same/nats.apart)
	return nil
}

// beside is a quiet room's p99 in microseconds: alone, with a busy room on the
// same server, and with that room on another server of the same machine. The
// last is what the machine's processors alone make of it: where they are few,
// whoever is in the busy room takes them from whoever is in the quiet one.
type beside struct{ nobody, same, apart float64 }

func (b *bench) beside(t target, self string) (p99 beside, err error) {
	ctx := b.Context.Context
	quiet, err := t.start(ctx)
	if err != nil {
		return p99, err
	}
	defer quiet.stop()
	if p99.nobody, err = b.latency(quiet, self, nil); err != nil {
		return p99, err
	}
	if p99.same, err = b.latency(quiet, self, &quiet); err != nil {
		return p99, err
	}
	other, err := t.start(ctx)
	if err != nil {
		return p99, err
	}
	defer other.stop()
	p99.apart, err = b.latency(quiet, self, &other)
	return p99, err
}

// latency is the profile's p99 on r, while a large room is busy on a server or,
// with nil, nowhere. Who is in that room is a process of its own: in this one,
// what it reads would delay what the profile reads.
func (b *bench) latency(r running, self string, busy *running) (p99 float64, err error) {
	p := named("latency", b.Duration("duration"))
	if busy == nil {
		result, err := b.load(r, p)
		return float64(result.Latency.P99), err
	}
	loud, err := start(b.Context.Context, os.Stderr, self, "talk", "--server", busy.kind, "--sessions", strconv.Itoa(b.Int("busy-sessions")),
		"--rate", strconv.FormatFloat(b.Float64("busy-rate"), 'g', -1, 64), busy.addr)
	if err != nil {
		return 0, err
	}
	result, err := b.load(r, p)
	loud.stop()
	if err == nil && !loud.cmd.ProcessState.Success() {
		err = fmt.Errorf("the busy room: %s", loud.cmd.ProcessState)
	}
	return float64(result.Latency.P99), err
}

// talkCommand is the busy room: it says when everybody talks, and goes on until
// it is told to end.
func talkCommand() *cli.Command {
	return &cli.Command{
		Name: "talk", Hidden: true, HideHelpCommand: true, Usage: "keep one room busy", ArgsUsage: "ADDR",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "server", Usage: "`KIND`: px, whose router is at ADDR, or nats"},
			&cli.IntFlag{Name: "sessions", Usage: "`N` sessions"},
			&cli.Float64Flag{Name: "rate", Usage: "`N` messages a second"},
		},
		Action: func(c *cli.Context) error {
			var d stress.Dialect = nats{c.Args().First()}
			if c.String("server") == "px" {
				d = stress.NewPx([]string{c.Args().First()}, nil)
			}
			p := named("fanout", time.Hour)
			p.Prefix, p.Sessions, p.Window, p.Rate = "busy", c.Int("sessions"), 0, c.Float64("rate")
			said := false
			_, err := stress.Run(c.Context, d, p, stress.Options{Progress: func(p stress.Progress) {
				if p.Phase == "measure" && !said {
					said = true
					fmt.Fprintln(c.App.Writer, "ready")
				}
			}})
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
}
