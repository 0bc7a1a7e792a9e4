// Command px is the whole of Positivity Exchange: shards, routers, the client
// and the tools of operators and scripts.
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

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// errUsage marks errors of the command line itself.
var errUsage = errors.New("usage")

// errInterrupted ends a command that was interrupted by a signal and stopped in order.
var errInterrupted = errors.New("interrupted")

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // ignored: somebody wants it to outlive the terminal
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		cancel()
		<-signals // a second one means: at once
		os.Exit(exitInterrupted)
	}()
	app := newApp()
	args, err := flagsFirst(app, os.Args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	switch {
	case err == nil:
		return
	case errors.Is(err, errInterrupted):
		os.Exit(exitInterrupted)
	}
	fmt.Fprintln(os.Stderr, "px:", err)
	if errors.Is(err, errUsage) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

func newApp() *cli.App {
	app := &cli.App{
		Name:  "px",
		Usage: "chat in rooms from a terminal, on a cluster of your own",
		Description: "px up starts a cluster on this machine and opens the client. For more processes or machines:\n" +
			"px shard, px router, px client.",
		Commands: withTLS([]*cli.Command{
			upCommand(), shardCommand(), routerCommand(), clientCommand(),
			sendCommand(), tailCommand(), roomsCommand(), createCommand(), whereCommand(),
			statusCommand(), drainCommand(), exportCommand(), importCommand(), stressCommand(), versionCommand(),
		}),
		HideVersion:    true, // the library's has one line, and no --json beside it
		Flags:          []cli.Flag{&cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "what px version tells", DisableDefaultText: true}},
		ExitErrHandler: func(*cli.Context, error) {}, // main decides on the exit code
		Action: func(c *cli.Context) error {
			if c.Bool("version") && !c.Args().Present() {
				version().print(os.Stdout)
				return nil
			}
			if c.Args().Present() {
				return fmt.Errorf("%w: there is no command %q; px --help lists them", errUsage, c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		OnUsageError: usageError,
	}
	for _, command := range app.Commands {
		command.OnUsageError = usageError
		command.Before = checked(command.Before)
		command.HideHelpCommand = true // "help" is a room like any other, and a word one may send
	}
	return app
}

func usageError(_ *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w: %w; px COMMAND --help lists the flags", errUsage, err)
}

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}
