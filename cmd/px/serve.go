package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client/tui"
	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/membership"
)

// logFlags say where rooms are stored and how that is reached. The files are
// found in the variables of the nats command, too.
func logFlags() []cli.Flag {
	file := func(name, theirs, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, EnvVars: []string{env(name), theirs}}
	}
	return []cli.Flag{
		flag("log", "", "where rooms are stored: nats://host[,host...] `URL` (default: SQLite files below DIR)"),
		flag("cluster", membership.DefaultCluster, "`NAME` of the cluster"),
		flag("sync", "normal", "normal: what is acknowledged survives a killed process; full: a power cut too"),
		file("nats-creds", "NATS_CREDS", "credentials `FILE` for the NATS servers"),
		file("nats-nkey", "NATS_NKEY", "nkey seed `FILE`"),
		file("nats-ca", "NATS_CA", "`FILE` of the authorities that vouch for the NATS servers"),
		file("nats-cert", "NATS_CERT", "client certificate `FILE`"),
		file("nats-key", "NATS_KEY", "client key `FILE`"),
		&cli.IntFlag{Name: "nats-replicas", Usage: "`N` replicas of each stream (default: 3 if --log names three hosts, else 1)", EnvVars: []string{env("nats-replicas")}},
		&cli.StringSliceFlag{Name: "nats-monitor", Usage: "monitoring `URL` of each NATS server (http://host:8222), for --sync full; may be repeated", EnvVars: []string{env("nats-monitor")}},
	}
}

// logConfig is what logFlags said.
func logConfig(c *cli.Context) app.Config {
	return app.Config{
		Log: c.String("log"), Cluster: c.String("cluster"), Data: c.String("data"), Sync: c.String("sync"),
		NATS: app.NATS{
			Creds: c.String("nats-creds"), NKey: c.String("nats-nkey"), CA: c.String("nats-ca"), Cert: c.String("nats-cert"), Key: c.String("nats-key"),
			Replicas: c.Int("nats-replicas"), Monitor: c.StringSlice("nats-monitor"),
		},
	}
}

// memberFlags are what every process of a cluster takes.
func memberFlags() []cli.Flag {
	return append([]cli.Flag{
		flag("data", app.DefaultData(), "shared data `DIR`ectory; processes with the same one find each other"),
		flag("secret-file", "", "`FILE` with the cluster's secret (default: DIR/secret, made at the first start; or PX_SECRET)"),
		flag("advertise", "", "`ADDR` others reach this process at, if not the one it listens on"),
		flag("gossip", "", "`ADDR` for gossip (default: 127.0.0.1:7946 or the next free port)"),
		&cli.StringSliceFlag{Name: "join", Usage: "gossip `ADDR` of a member to start from; may be repeated", EnvVars: []string{env("join")}},
		flag("rooms", "", "`FILE` with the rooms that exist from the first start (default: 24 rooms that come with px)"),
		flag("log-level", "info", "debug, info, warn or error; logs go to standard error"),
		boolFlag("no-fence-kill", "never end a frozen shard that blocks its successor"),
	}, logFlags()...)
}

func config(c *cli.Context, logTo *os.File) (app.Config, error) {
	logger, err := loggerTo(c, logTo)
	if err != nil {
		return app.Config{}, err
	}
	secure, err := memberTLS(c)
	if err != nil {
		return app.Config{}, err
	}
	cfg := logConfig(c)
	cfg.SecretFile, cfg.Secret = c.String("secret-file"), os.Getenv("PX_SECRET")
	cfg.Advertise, cfg.Gossip, cfg.Join, cfg.RoomsFile = c.String("advertise"), c.String("gossip"), c.StringSlice("join"), c.String("rooms")
	cfg.TLS, cfg.NoFenceKill = secure, c.Bool("no-fence-kill")
	cfg.Logger = logger
	return cfg, nil
}

// loggerTo writes what --log-level lets through.
func loggerTo(c *cli.Context, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, usagef("--log-level %q: use debug, info, warn or error", c.String("log-level"))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), nil
}

func shardCommand() *cli.Command {
	return &cli.Command{
		Name: "shard", Usage: "run a shard: it serves rooms", UsageText: "px shard --name s1",
		Flags: append([]cli.Flag{
			flag("name", "", "`NAME` of the shard, the same after a restart"),
			flag("listen", "127.0.0.1:0", "`ADDR` for clients; port 0: any free one"),
		}, memberFlags()...),
		Before: relaxed,
		Action: func(c *cli.Context) error {
			if err := cmp.Or(noArgs(c), needs(c, "name")); err != nil {
				return err
			}
			cfg, err := config(c, os.Stderr)
			if err != nil {
				return err
			}
			cfg.Name, cfg.Listen, cfg.Alone = c.String("name"), c.String("listen"), true
			log, err := app.OpenLog(cfg)
			if err != nil {
				return err
			}
			defer log.Close() //nolint:errcheck // everything acknowledged is in
			s, err := app.NewShard(cfg, log)
			if err != nil {
				return err
			}
			return serve(c.Context, s.Ready(), func() { printShard(s) }, s.Run)
		},
	}
}

func printShard(s *app.Shard) {
	m := s.Self()
	fmt.Printf("ready shard %s client=%s gossip=%s\n", m.Name, m.Client, m.Gossip)
}

func printRouter(r *app.Router) {
	m := r.Self()
	fmt.Printf("ready router client=%s http=%s gossip=%s\n", m.Client, cmp.Or(r.HTTPAddr(), "none"), m.Gossip)
}

// serve runs a member until it ends and says when it is ready.
func serve(ctx context.Context, ready <-chan struct{}, say func(), run func(context.Context) error) error {
	defer tidy(ctx)()
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	select {
	case <-ready:
		say()
	case err := <-done:
		return ended(ctx, err)
	}
	return ended(ctx, <-done)
}

// relaxed comes before a server opens anything.
func relaxed(c *cli.Context) error {
	if c.Context.Err() == nil { // else a signal has come, which the program would forget
		app.RelaxTimers()
	}
	return nil
}

// tidy keeps a serving process small until the function it returns is called.
func tidy(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { app.ReturnMemory(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// ended tells an end in order from a failure.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

func routerCommand() *cli.Command {
	return &cli.Command{
		Name: "router", Usage: "run a router: it tells clients where a room is", UsageText: "px router --listen 127.0.0.1:8080",
		Flags: append([]cli.Flag{
			flag("name", "", "`NAME` of the router (default: a random one)"),
			flag("listen", "127.0.0.1:8080", "`ADDR` for clients"),
			flag("http", "127.0.0.1:8081", "`ADDR` for /healthz, /readyz and /status, which whoever reaches it may read; '' means none"),
		}, memberFlags()...),
		Before: relaxed,
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			cfg, err := config(c, os.Stderr)
			if err != nil {
				return err
			}
			cfg.Name, cfg.Listen, cfg.HTTP = routerName(c.String("name")), c.String("listen"), c.String("http")
			log, err := app.OpenLog(cfg)
			if err != nil {
				return err
			}
			defer log.Close() //nolint:errcheck // it wrote nothing but its heartbeat
			r, err := app.NewRouter(cfg, log)
			if err != nil {
				return err
			}
			return serve(c.Context, r.Ready(), func() { printRouter(r) }, r.Run)
		},
	}
}

func routerName(name string) string {
	if name != "" {
		return name
	}
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return "router-" + hex.EncodeToString(b[:])
}

func upCommand() *cli.Command {
	return &cli.Command{
		Name: "up", Usage: "run a router and shards in one process, and open the client", UsageText: "px up --shards 3",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "shards", Value: 3, Usage: "how many shards", EnvVars: []string{env("shards")}},
			flag("listen", "127.0.0.1:8080", "`ADDR` for clients"),
			flag("http", "127.0.0.1:8081", "`ADDR` for /healthz, /readyz and /status, which whoever reaches it may read; '' means none"),
			flag("user", "", "`NAME` to use in the client this once (default: the configuration's, else what the first start asked for)"),
			boolFlag("no-client", "serve only, even on a terminal"),
		}, memberFlags()...),
		Before: relaxed,
		Action: runUp,
	}
}

func runUp(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	withClient := !c.Bool("no-client") && noScreen() == ""
	logTo := os.Stderr
	if withClient {
		// The terminal is the client's.
		if err := os.MkdirAll(c.String("data"), 0o700); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		f, err := os.OpenFile(filepath.Join(c.String("data"), "px.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("log file: %w", err)
		}
		defer f.Close()
		logTo = f
	}
	cfg, err := config(c, logTo)
	if err != nil {
		return err
	}
	cfg.Name, cfg.Listen, cfg.HTTP = routerName(""), c.String("listen"), c.String("http")
	up, err := app.NewUp(cfg, c.Int("shards"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	defer tidy(ctx)()
	done := make(chan error, 1)
	go func() {
		done <- up.Run(ctx)
		cancel()
	}()
	if err := up.Ready(ctx); err != nil {
		return ended(c.Context, <-done)
	}
	if !withClient {
		for _, s := range up.Shards {
			printShard(s)
		}
		printRouter(up.Router)
		return ended(c.Context, <-done)
	}
	opts := clientOptions(c, up.Router.Self().Client)
	if opts.TLS, err = clientTLS(c); err == nil {
		err = tui.Run(ctx, opts)
	}
	cancel()
	return errors.Join(ended(ctx, err), ended(ctx, <-done))
}
