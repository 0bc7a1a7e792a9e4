package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/cmd/internal/stress"
)

func stressCommand() *cli.Command {
	return &cli.Command{
		Name: "stress", Usage: "put load on a cluster, check every answer, and measure", UsageText: "px stress fanout --duration 10s",
		Description: "PROFILE is one of:\n" + profileLines() +
			"\nEvery figure of a profile can be changed with a flag. The rooms are #stress-0, #stress-1 ...; they are made\n" +
			"where they are not there yet, and stay. Exit code 1: an answer was wrong, or the run could not go on.",
		Flags: append(profileFlags(),
			routerFlag(),
			&cli.IntSliceFlag{Name: "pid", Usage: "`PID` of a server process to measure; may be repeated (default: the shards' on this machine)", EnvVars: []string{env("pid")}},
			jsonFlag("print an object"),
		),
		Action: runStress,
	}
}

func profileLines() string {
	var lines []string
	for _, p := range stress.Profiles() {
		lines = append(lines, "  "+p.Name+strings.Repeat(" ", 10-len(p.Name))+p.Words())
	}
	return strings.Join(lines, "\n")
}

// profileFlags are the figures of a profile. They have no default of their
// own: what is not given is the profile's.
func profileFlags() []cli.Flag {
	number := func(name, usage string) cli.Flag {
		return &cli.IntFlag{Name: name, Usage: usage, EnvVars: []string{env(name)}, DefaultText: "the profile's"}
	}
	span := func(name, usage string) cli.Flag {
		return &cli.DurationFlag{Name: name, Usage: usage, EnvVars: []string{env(name)}, DefaultText: "the profile's"}
	}
	return []cli.Flag{
		number("room-count", "`N` rooms"),
		number("sessions", "`N` sessions in all"),
		number("joins", "`N` rooms that a session is in"),
		number("senders", "`N` sessions that speak in a room; -1: all"),
		number("window", "closed loop: `N` messages that a sender has unacknowledged in a room"),
		&cli.Float64Flag{Name: "rate", Usage: "open loop: `N` messages a second in all", EnvVars: []string{env("rate")}, DefaultText: "the profile's"},
		span("every", "open loop: each session speaks once in this time"),
		number("size", "`BYTES` of a message"),
		number("messages", "stop sending after `N` messages"),
		number("talk", "sessions leave after `N` messages in each room, and others come"),
		span("warmup", "traffic before measuring begins"),
		span("duration", "measure this long"),
		span("ramp", "let the sessions come evenly over this time"),
	}
}

// stressProfile is the profile named by the argument with the flags' figures.
func stressProfile(c *cli.Context) (stress.Profile, error) {
	if c.Args().Len() != 1 {
		return stress.Profile{}, usagef("name one profile; px stress --help lists them")
	}
	p, err := stress.Named(c.Args().First())
	if err != nil {
		return p, usagef("%s", err)
	}
	set := func(name string, to *int) {
		if c.IsSet(name) {
			*to = c.Int(name)
		}
	}
	setSpan := func(name string, to *time.Duration) {
		if c.IsSet(name) {
			*to = c.Duration(name)
		}
	}
	set("room-count", &p.Rooms)
	set("sessions", &p.Sessions)
	set("joins", &p.Joins)
	set("senders", &p.Senders)
	set("size", &p.Size)
	set("messages", &p.Messages)
	set("talk", &p.Talk)
	setSpan("warmup", &p.Warmup)
	setSpan("duration", &p.Duration)
	setSpan("ramp", &p.Ramp)
	if c.IsSet("window") || c.IsSet("rate") || c.IsSet("every") {
		p.Window, p.Rate, p.Every = c.Int("window"), c.Float64("rate"), c.Duration("every")
		if p.Senders == 0 {
			p.Senders = stress.All
		}
	}
	if err := p.Check(); err != nil {
		return p, usagef("%s", err)
	}
	return p, nil
}

func runStress(c *cli.Context) error {
	p, err := stressProfile(c)
	if err != nil {
		return err
	}
	secure, err := clientTLS(c)
	if err != nil {
		return err
	}
	routers, err := routersOf(c.String("router"))
	if err != nil {
		return err
	}
	px := stress.NewPx(routers, secure)
	line := newProgressLine(os.Stderr)
	opts := stress.Options{Pids: c.IntSlice("pid"), Progress: stressProgress(&line)}
	if len(opts.Pids) == 0 {
		opts.Find = func() []int { return stress.Listeners(px.Addrs()) }
	}
	if _, err := stress.UsageOf(opts.Pids); err != nil { // else it ends a run whose load is there already
		return err
	}
	result, err := stress.Run(c.Context, px, p, opts)
	if c.Context.Err() != nil && errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	line.clear()
	if c.Bool("json") {
		err = errors.Join(err, json.NewEncoder(os.Stdout).Encode(result))
	} else {
		result.Print(os.Stdout)
	}
	return err
}

// stressProgress shows how far a run is: in the line on a terminal, every ten
// seconds elsewhere.
func stressProgress(line *progressLine) func(stress.Progress) {
	calls := 0
	return func(p stress.Progress) {
		text := fmt.Sprintf("%-8s %4.0f s  %d sessions  %d sent  %d unacknowledged  %.0f deliveries/s  %d wrong", p.Phase, p.Elapsed.Seconds(),
			p.Sessions, p.Tally.Sent, p.Tally.Sent-p.Tally.Acknowledged, p.Rate, p.Tally.Lost+p.Tally.Doubled+p.Tally.OutOfOrder+p.Tally.Altered)
		line.write(text)
		if calls++; !line.on && calls%10 == 0 {
			fmt.Fprintln(line.w, text)
		}
	}
}
