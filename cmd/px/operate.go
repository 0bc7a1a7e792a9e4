package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/tui"
	"positivity-exchange/cmd/internal/app"
	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

func roomsCommand() *cli.Command {
	return &cli.Command{
		Name: "rooms", Usage: "list rooms", UsageText: "px rooms --prefix go",
		Description: "--json prints an array of objects: name, description.",
		Flags:       []cli.Flag{routerFlag(), flag("prefix", "", "only rooms whose name starts with `P`"), jsonFlag("print an array of objects")},
		Action: func(c *cli.Context) error {
			prefix := strings.TrimPrefix(c.String("prefix"), "#")
			return query(c, cmp.Or(noArgs(c), beginning(prefix)), errLateRouter, func(ctx context.Context, s *client.Session) error {
				type line struct {
					Name        string `json:"name"`
					Description string `json:"description"`
				}
				lines := []line{}
				for after := ""; ; {
					page, err := s.Rooms(ctx, comms.ListRooms{Prefix: prefix, After: after})
					if err != nil {
						return err
					}
					for _, r := range page.Rooms {
						lines = append(lines, line{r.Name, r.Description})
					}
					if after = page.Next; after == "" {
						break
					}
				}
				if c.Bool("json") {
					return json.NewEncoder(os.Stdout).Encode(lines)
				}
				return table(os.Stdout, func(w io.Writer) {
					for _, l := range lines {
						fmt.Fprintf(w, "#%s\t%s\n", l.Name, tui.Clean(l.Description))
					}
				})
			})
		},
	}
}

// beginning checks what the names of rooms are to begin with: anything, or what a
// name may.
func beginning(prefix string) error {
	if prefix == "" {
		return nil
	}
	if err := comms.CheckRoomName(prefix); err != nil {
		return usagef("no room's name begins so: %s", err)
	}
	return nil
}

func table(to io.Writer, rows func(io.Writer)) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

func createCommand() *cli.Command {
	return &cli.Command{
		Name: "create", Usage: "create a room", UsageText: "px create --description 'Bread and butter' baking",
		Flags: []cli.Flag{routerFlag(), flag("description", "", "`D`escription of the room")},
		Action: func(c *cli.Context) error {
			room, err := roomArg(c)
			return query(c, err, lateShard(room), func(ctx context.Context, s *client.Session) error {
				return s.Create(ctx, room, c.String("description"))
			})
		},
	}
}

func whereCommand() *cli.Command {
	return &cli.Command{
		Name: "where", Usage: "ask a room's owner where it is served", UsageText: "px where general",
		Description: "--json prints an object: room, partition (0 to 270), shard (its name), addr (for clients), epoch (of its\n" +
			"ownership).",
		Flags: []cli.Flag{routerFlag(), jsonFlag("print an object")},
		Action: func(c *cli.Context) error {
			room, err := roomArg(c)
			return query(c, err, lateShard(room), func(ctx context.Context, s *client.Session) error {
				at, err := s.Where(ctx, room)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					return json.NewEncoder(os.Stdout).Encode(struct {
						Room      string `json:"room"`
						Partition int    `json:"partition"`
						Shard     string `json:"shard"`
						Addr      string `json:"addr"`
						Epoch     uint64 `json:"epoch"`
					}{at.Room, at.Partition, at.Shard, at.Addr, at.Epoch})
				}
				_, err = fmt.Printf("#%s is served by %s at %s (partition %d, epoch %d)\n", at.Room, at.Shard, at.Addr, at.Partition, at.Epoch)
				return err
			})
		},
	}
}

func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show the members of the cluster", UsageText: "px status",
		Description: "--json prints an object: cluster (its name), partitions (how many there are), table (version of the router's),\n" +
			"members. Each of these has name, role (router or shard), state (joining, active, draining or leaving), client\n" +
			"and gossip (addresses), boot (another after each start), owned (partitions), rooms (open ones), sessions;\n" +
			"unknown: true if the last three are not known, cut: true if it cannot write to the room log.",
		Flags: []cli.Flag{routerFlag(), jsonFlag("print an object")},
		Action: func(c *cli.Context) error {
			return query(c, noArgs(c), errLateRouter, func(ctx context.Context, s *client.Session) error {
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
						numbers := fmt.Sprintf("%d\t%d\t%d", m.Owned, m.Rooms, m.Sessions)
						if m.Unknown {
							numbers = "-\t-\t-"
						}
						state := m.State
						if m.Cut {
							state += ", cut off from the log"
						}
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.Role, state, m.Client, numbers)
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
			var report comms.StatusReport
			err := query(c, oneArg(c), errLateRouter, func(ctx context.Context, s *client.Session) (err error) {
				report, err = s.Status(ctx)
				return err
			})
			if err != nil {
				return err
			}
			return drain(c, report)
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

// answerSoon is how long a shard that drains is silent before a person hears of it.
const answerSoon = 3 * time.Second

// drain asks the shard to give everything up, and shows how far it is.
func drain(c *cli.Context, report comms.StatusReport) error {
	name := c.Args().First()
	secret, err := membership.ReadSecret(c.String("data"), c.String("secret-file"), os.Getenv("PX_SECRET"))
	if errors.Is(err, fs.ErrNotExist) && c.String("secret-file") == "" {
		return fmt.Errorf("%s holds no secret of a running cluster: name its --data or --secret-file", c.String("data"))
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(report.Members, func(m comms.MemberStatus) bool { return m.Name == name && m.Role == string(membership.RoleShard) })
	if i < 0 {
		return fmt.Errorf("no shard is named %q; px status lists them", name)
	}
	if !slices.ContainsFunc(report.Members, func(m comms.MemberStatus) bool {
		return m.Role == string(membership.RoleShard) && m.Name != name && m.State == string(membership.StateActive)
	}) {
		fmt.Fprintln(os.Stderr, "px: no other shard is active: the rooms wait until one comes")
	}
	secure, err := clientTLS(c)
	if err != nil {
		return err
	}
	silent := time.AfterFunc(answerSoon, func() {
		fmt.Fprintf(os.Stderr, "px: %s has said nothing for %s; waiting up to %s\n", name, answerSoon, app.DrainSilent)
	})
	defer silent.Stop()
	fate := "may drain all the same"
	// However long it takes: the shard says how far it is.
	err = app.Drain(c.Context, secure, report.Members[i].Client, name, secret, func(p comms.DrainProgress) {
		silent.Reset(answerSoon)
		fate = "goes on draining"
		switch {
		case p.Left:
			fmt.Printf("%s holds nothing and has left\n", name)
		default:
			fmt.Printf("%s holds %s, %s\n", name, count(p.Held, "partition"), count(p.Sessions, "session"))
		}
	})
	if err != nil && c.Context.Err() != nil {
		fmt.Fprintf(os.Stderr, "px: %s %s; px status shows it\n", name, fate)
		return errInterrupted
	}
	var refused *comms.Error
	if errors.As(err, &refused) && refused.Code == comms.CodeBadTicket {
		return fmt.Errorf("%s has another cluster's secret than %s: name the right --data or --secret-file", secretPlace(c), name)
	}
	return err
}

// secretPlace is where drain found the cluster's secret.
func secretPlace(c *cli.Context) string {
	switch file := c.String("secret-file"); {
	case file != "":
		return file
	case os.Getenv("PX_SECRET") != "":
		return "PX_SECRET"
	}
	return filepath.Join(c.String("data"), "secret")
}
