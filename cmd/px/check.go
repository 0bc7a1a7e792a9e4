package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/jetstreamlog"
)

// checked looks at the values of a command's flags before anything is opened,
// made or dialled for them: what can never be right is an error of usage. Flags
// of one name mean the same in every command.
func checked(next cli.BeforeFunc) cli.BeforeFunc {
	return func(c *cli.Context) error {
		for _, f := range c.Command.Flags {
			if err := checkFlag(c, f); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		return next(c)
	}
}

func checkFlag(c *cli.Context, f cli.Flag) error {
	name := f.Names()[0]
	if strings.HasPrefix(name, "nats-") && c.String("log") == "" && typed(c, f) {
		return usagef("--%s is about NATS servers: name them with --log nats://host[,host...]", name)
	}
	switch f.(type) {
	case *cli.StringFlag:
		if why := wrongValue(name, c.String(name)); why != "" {
			return usagef("--%s %q: %s", name, c.String(name), why)
		}
	case *cli.StringSliceFlag:
		for _, v := range c.StringSlice(name) {
			if why := wrongValue(name, v); why != "" {
				return usagef("--%s %q: %s", name, v, why)
			}
		}
	case *cli.DurationFlag:
		if d := c.Duration(name); d < 0 {
			return usagef("--%s %s: a time is not negative", name, d)
		}
	case *cli.IntFlag:
		if n := c.Int(name); name == "shards" && (n < 1 || n > membership.Partitions) {
			return usagef("--shards %d: use 1 to %d", n, membership.Partitions)
		}
	}
	return nil
}

// typed tells whether a flag stands on the command line. Its variables may stand
// in the environment for other processes, and for the nats command.
func typed(c *cli.Context, f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && c.IsSet(f.Names()[0]) && !slices.ContainsFunc(d.GetEnvVars(), func(v string) bool { return os.Getenv(v) != "" })
}

// wrongValue says what is wrong with the value of a flag of that name, "" if
// nothing is. Most flags have no value when it is empty.
func wrongValue(name, value string) string {
	if name == "data" && value == "" {
		return "name a directory"
	}
	if value == "" {
		return ""
	}
	var err error
	switch name {
	case "name":
		err = membership.CheckName(value)
	case "user":
		err = comms.CheckUserName(value)
	case "sync":
		_, err = roomlog.ParseSync(value)
	case "log":
		if err = jetstreamlog.CheckURL(value); err != nil {
			err = fmt.Errorf("%w, or leave it out for SQLite files below --data", err)
		}
	case "listen", "http", "gossip":
		if _, port, err := net.SplitHostPort(value); err != nil || !isPort(port) {
			return "use host:port; port 0 means any free one"
		}
	case "advertise":
		if !reachable(value) {
			return "use host:port, or a host alone ([::1]:7000, or ::1 alone)"
		}
	case "join":
		err = membership.CheckJoin(value)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// reachable tells whether addr can be host:port, or a host alone.
func reachable(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "0"
	}
	_, err = netip.ParseAddr(host)
	return isPort(port) && (err == nil || host != "" && !strings.ContainsAny(host, ":/[] "))
}

// isPort knows the names of services, too.
func isPort(port string) bool {
	_, err := net.LookupPort("tcp", port)
	return err == nil
}
