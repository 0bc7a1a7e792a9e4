package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/app"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show the members of the cluster", UsageText: "px status",
		Flags: []cli.Flag{routerFlag(), &cli.BoolFlag{Name: "json", Usage: "print an object", EnvVars: []string{env("json")}}},
		Action: func(c *cli.Context) error {
			return query(c, noArgs(c), func(ctx context.Context, s *client.Session) error {
				report, err := s.Status(ctx)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					return json.NewEncoder(os.Stdout).Encode(report)
				}
				return table(os.Stdout, func(w io.Writer) {
					fmt.Fprintf(w, "cluster %s, table %s\n\nNAME\tROLE\tSTATE\tCLIENT\tOWNED\tROOMS\tSESSIONS\n", report.Cluster, report.Table)
					for _, m := range report.Members {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\n", m.Name, m.Role, m.State, m.Client, m.Owned, m.Rooms, m.Sessions)
					}
				})
			})
		},
	}
}

func drainCommand() *cli.Command {
	return &cli.Command{
		Name: "drain", Usage: "move a shard's rooms away and end it", UsageText: "px drain s2",
		Flags: []cli.Flag{routerFlag(), flag("data", app.DefaultData(), "data `DIR`ectory with the cluster's secret"), flag("secret-file", "", "`FILE` with the cluster's secret")},
		Action: func(c *cli.Context) error {
			return query(c, oneArg(c), func(ctx context.Context, s *client.Session) error { return drain(ctx, c, s) })
		},
	}
}

// count writes a number of things: "1 session", "2 sessions".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprint(n, " ", thing, "s")
}
