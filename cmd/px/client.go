package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/tui"
)

func clientCommand() *cli.Command {
	return &cli.Command{
		Name: "client", Usage: "chat", UsageText: "px client --user ada --room general",
		Flags: []cli.Flag{
			routerFlag(), flag("user", "", "`NAME` to use (default: the configuration's, else asked)"), flag("room", "", "`ROOM` to open (default: the last one, else general)"),
			&cli.BoolFlag{Name: "connect", Usage: "ask for router and name first", EnvVars: []string{env("connect")}},
			&cli.BoolFlag{Name: "plain", Usage: "lines alone, for screen readers and pipes", EnvVars: []string{env("plain")}},
			flag("config", "", "configuration `FILE` (default: "+profile.ConfigPath()+")"),
			flag("profile", "", "`NAME` of a [profiles.NAME] of the configuration"),
			&cli.BoolFlag{Name: "check-config", Usage: "tell what is wrong with the configuration", EnvVars: []string{env("check-config")}},
			&cli.BoolFlag{Name: "print-config", Usage: "print the configuration's settings with their defaults", EnvVars: []string{env("print-config")}},
		},
		Action: runClient,
	}
}

func runClient(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	if c.Bool("print-config") {
		fmt.Print(profile.Sample)
		return nil
	}
	config, err := profile.LoadConfig(c.String("config"))
	if err == nil {
		err = tui.CheckKeys(config.Keys)
	}
	if c.Bool("check-config") {
		if err == nil {
			fmt.Println("the configuration is fine")
		}
		return err
	}
	opts := tui.Options{}
	if err != nil {
		opts.Warning = err.Error() // the client starts all the same
	}
	if config, err = config.With(c.String("profile")); err != nil {
		return err
	}
	if c.IsSet("router") {
		config.Router = c.String("router")
	}
	if c.IsSet("user") {
		config.User = c.String("user")
	}
	if c.IsSet("room") {
		config.Room = c.String("room")
	}
	if config.Log != "" {
		log, err := os.OpenFile(config.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("log: %w", err)
		}
		defer log.Close()
		opts.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if c.Bool("plain") {
		return runPlain(c, config)
	}
	opts.Config, opts.Routers, opts.User, opts.Ask = config, splitAddrs(config.Router), config.User, c.Bool("connect")
	if c.IsSet("room") || config.Room != "general" {
		opts.Room = config.Room
	}
	return ended(c.Context, tui.Run(c.Context, opts))
}

// clientOptions are those of the client that px up opens.
func clientOptions(c *cli.Context, router string) tui.Options {
	config, err := profile.LoadConfig("")
	opts := tui.Options{Config: config, Routers: []string{router}, User: c.String("user")}
	if opts.User == "" {
		opts.User = config.User
	}
	if err != nil {
		opts.Warning = err.Error()
	}
	return opts
}

func runPlain(c *cli.Context, config profile.Config) (err error) {
	s, err := dial(c.Context, splitAddrs(config.Router), config.User)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return ended(c.Context, tui.Plain(c.Context, tui.PlainOptions{Session: s, Room: config.Room, In: os.Stdin, Out: os.Stdout}))
}
