package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/jetstreamlog"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

// versionReport is what px version tells: which source this was built from, and
// what it understands of others.
type versionReport struct {
	Version   string `json:"version"`            // of the module; "(devel)" where Go knows none
	Revision  string `json:"revision,omitempty"` // of the source, if it was built in a checkout
	Modified  bool   `json:"modified"`           // the source was not quite that
	Go        string `json:"go"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Wire      int    `json:"wire"`    // protocol with clients
	Members   int    `json:"members"` // protocol among members
	SQLite    int    `json:"sqlite"`  // schemas of the room logs
	JetStream int    `json:"jetstream"`
}

func version() versionReport {
	v := versionReport{
		Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Wire: comms.Version, Members: membership.Version, SQLite: sqlitelog.Schema, JetStream: jetstreamlog.Schema,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v versionReport) print(to io.Writer) {
	source := ""
	if v.Revision != "" {
		source = ", revision " + v.Revision
	}
	if v.Modified {
		source += ", modified"
	}
	fmt.Fprintf(to, "px %s%s, %s %s/%s\n", v.Version, source, v.Go, v.OS, v.Arch)
	fmt.Fprintf(to, "speaks: clients %d, members %d\nstores: SQLite schema %d, JetStream schema %d\n", v.Wire, v.Members, v.SQLite, v.JetStream)
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "tell which px this is, and what it understands of others", UsageText: "px version",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print an object", EnvVars: []string{env("json")}}},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(os.Stdout).Encode(version())
			}
			version().print(os.Stdout)
			return nil
		},
	}
}
