package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/tui"
	"positivity-exchange/comms"
)

func tailCommand() *cli.Command {
	return &cli.Command{
		Name: "tail", Usage: "follow a room, across moves and crashes", UsageText: "px tail --room general --since 0",
		Flags: []cli.Flag{
			routerFlag(), flag("room", "", "`ROOM` to follow"),
			flag("user", "", "`NAME` to use (default: a guest's)"),
			&cli.Int64Flag{Name: "since", Value: -1, Usage: "begin behind this `SEQ`uence; 0: from the beginning (default: only what is new)", EnvVars: []string{env("since")}},
			&cli.IntFlag{Name: "count", Usage: "end after `N` records (default: never)", EnvVars: []string{env("count")}},
			jsonFlag("print an object for each record"),
		},
		Action: func(c *cli.Context) error {
			if err := cmp.Or(noArgs(c), needs(c, "room")); err != nil {
				return err
			}
			room, err := roomName(c.String("room"))
			if err != nil {
				return err
			}
			s, err := connect(c.Context, c, c.String("user"))
			if err != nil {
				return err
			}
			defer s.Close() //nolint:errcheck // never fails
			var after *comms.Position
			if since := c.Int64("since"); since >= 0 {
				after = &comms.Position{Seq: uint64(since)}
			}
			joined := make(chan error, 1)
			go func() { joined <- s.Join(c.Context, room, after) }()
			return follow(c, s, joined)
		},
	}
}

func follow(c *cli.Context, s *client.Session, joined <-chan error) error {
	out := json.NewEncoder(os.Stdout)
	for n := 0; ; {
		select {
		case <-c.Context.Done():
			return errInterrupted
		case err := <-joined:
			if err != nil {
				return err
			}
			joined = nil
		case e, ok := <-s.Events():
			if !ok {
				return client.ErrClosed
			}
			if cut, is := e.(client.Cut); is {
				fmt.Fprintf(os.Stderr, "px: the store lost its end behind #%d\n", cut.At)
			}
			m, is := e.(client.Message)
			if !is {
				continue
			}
			var err error
			if c.Bool("json") {
				err = out.Encode(struct {
					Kind    string `json:"kind"`
					Room    string `json:"room"`
					Seq     uint64 `json:"seq"`
					Epoch   uint64 `json:"epoch"`
					User    string `json:"user"`
					ID      string `json:"id"`
					Time    int64  `json:"time"`
					Content string `json:"content"`
				}{m.Kind, m.Room, m.Seq, m.Epoch, m.User, m.ID, m.Time, m.Content})
			} else if m.Kind == comms.KindTopic {
				_, err = fmt.Printf("%s * %s set the topic: %s\n", time.UnixMilli(m.Time).Format("15:04"), m.User, tui.Clean(m.Content))
			} else {
				_, err = fmt.Println(tui.Signed(time.UnixMilli(m.Time), m.User, m.Content))
			}
			if err != nil {
				return err
			}
			if n++; n == c.Int("count") {
				return nil
			}
		}
	}
}
