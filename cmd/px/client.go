package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"positivity-exchange/client/profile"
	"positivity-exchange/client/tui"
)

func clientCommand() *cli.Command {
	return &cli.Command{
		Name: "client", Usage: "chat", UsageText: "px client --user ada --room general",
		Flags: []cli.Flag{
			routerFlag(), flag("user", "", "`NAME` to use this once (default: the configuration's, else what the first start asked for; a guest's where input is no terminal)"), flag("room", "", "`ROOM` to open (default: the last one, else general)"),
			boolFlag("connect", "ask for router and name first"),
			boolFlag("plain", "lines alone, for screen readers and pipes"),
			flag("config", "", "configuration `FILE` (default: "+profile.ConfigPath()+")"),
			flag("profile", "", "`NAME` of a [profiles.NAME] of the configuration"),
			boolFlag("check-config", "tell what is wrong with the configuration"),
			boolFlag("print-config", "print the configuration's settings with their defaults"),
		},
		Action: runClient,
	}
}

func runClient(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	if c.Bool("print-config") {
		fmt.Print(tui.Sample())
		return nil
	}
	room := "" // the one of the last visit
	if c.String("room") != "" {
		var err error
		if room, err = roomName(c.String("room")); err != nil {
			return err
		}
	}
	config, err := profile.LoadConfig(c.String("config"))
	wrong := err // what only a person can be asked about
	if err == nil {
		err = tui.CheckKeys(config)
	}
	if c.Bool("check-config") {
		if err == nil {
			fmt.Println("the configuration is fine")
		}
		return err
	}
	opts := tui.Options{Ask: c.Bool("connect")}
	warn := func(err error) { // the client starts all the same
		opts.Warning = strings.TrimPrefix(opts.Warning+"; "+err.Error(), "; ")
	}
	if err != nil {
		warn(err)
	}
	if config, err = config.With(c.String("profile")); err != nil {
		warn(err)
		wrong = errors.Join(wrong, err)
		opts.Ask = true // as whom, and where, was to come from the profile
	}
	if c.IsSet("router") {
		config.Router = c.String("router")
	}
	if c.IsSet("user") {
		config.User = c.String("user")
	}
	if room != "" {
		config.Room = room
	}
	if config.Log != "" {
		log, err := os.OpenFile(config.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			warn(fmt.Errorf("log: %w", err))
		} else {
			defer log.Close()
			opts.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
	}
	plain := c.Bool("plain")
	if why := noScreen(); why != "" && !plain {
		plain = true
		warn(fmt.Errorf("%s: lines alone, as with --plain", why))
	}
	if plain {
		if wrong != nil {
			return wrong // else what is written may go to another place, under another name
		}
		if opts.Warning != "" {
			fmt.Fprintln(os.Stderr, "px:", opts.Warning)
		}
		return runPlain(c, config)
	}
	if opts.TLS, err = clientTLS(c); err != nil {
		return err
	}
	if opts.Routers, err = routersOf(config.Router); err != nil {
		return err
	}
	opts.Config, opts.User = config, config.User
	if room != "" || config.Room != "general" {
		opts.Room = config.Room
	}
	return ended(c.Context, tui.Run(c.Context, opts))
}

// noScreen says why no screen can be drawn, "" if one can.
func noScreen() string {
	switch name := os.Getenv("TERM"); {
	case !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())):
		return "input or output is no terminal"
	case runtime.GOOS != "windows" && (name == "" || name == "dumb"):
		return fmt.Sprintf("the terminal cannot be drawn on (TERM=%q)", name)
	}
	return ""
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
