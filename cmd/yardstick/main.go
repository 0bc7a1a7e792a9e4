// Command yardstick measures px beside NATS core, which delivers and stores
// nothing: the same load from the same generator, in turns, on the same
// machine. What it prints and what may be quoted are ratios; the figures
// themselves belong to the machine and the hour. The column "strangers" tells
// how much of the machine others used meanwhile: where that is much, measure
// again.
//
// Without a command it compares profiles of px stress (compare.go, report.go).
// The commands are what needs more than that (scenarios.go): a busy neighbour,
// several shards, a long history, the start on a full store, the traffic
// between shards, TLS.
//
// The servers are processes of their own, started anew for every run
// (target.go, process.go): px shards and a router with their room log in a
// temporary directory, and a NATS server that this program runs in a second
// copy of itself (nats.go, which also speaks its protocol). Only shards are
// measured; what the router uses while sessions join is told apart. It is a
// program of its own, so that px does not carry a NATS server.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newApp().RunContext(ctx, os.Args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "yardstick:", err)
		os.Exit(1)
	}
}

func newApp() *cli.App {
	var commands []*cli.Command
	for _, s := range scenarios() {
		commands = append(commands, s.command())
	}
	return &cli.App{
		Name: "yardstick", Usage: "measure px beside NATS core", UsageText: "yardstick --px ./px --profile fanout --runs 5 --duration 5s",
		Flags:          flags(),
		HideVersion:    true,
		ExitErrHandler: func(*cli.Context, error) {}, // main decides
		Action:         compare,
		Commands: append(commands, &cli.Command{
			Name: "serve-nats", Hidden: true, HideHelpCommand: true, Usage: "run the NATS server that is measured",
			Action: func(c *cli.Context) error { return serveNATS(c.Context) },
		}, talkCommand()),
	}
}

var errNothing = errors.New("nothing to measure")
