package main

import (
	"cmp"
	"encoding/json"
	"errors"
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
		Description: "--json prints an object a line for each record: kind (message or topic; others may follow), room, seq (its\n" +
			"number in the room), epoch (of the ownership that it was stored under), user, id (the message's), time (of the\n" +
			"shard, milliseconds since 1970), content.",
		Flags: []cli.Flag{
			routerFlag(), flag("room", "", "`ROOM` to follow"),
			flag("user", "", "`NAME` to use (default: a guest's)"),
			&cli.Int64Flag{Name: "since", Value: -1, Usage: "begin behind this `SEQ`uence; 0: from the beginning", DefaultText: "only what is new", EnvVars: []string{env("since")}},
			&cli.IntFlag{Name: "count", Usage: "end after `N` records", DefaultText: "never", EnvVars: []string{env("count")}},
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
			go func() { joined <- beyond(c, s, room, s.Join(c.Context, room, after)) }()
			return follow(c, s, joined)
		},
	}
}

// beyond names the newest record where a room was to be joined behind it.
func beyond(c *cli.Context, s *client.Session, room string, err error) error {
	var refused *client.RefusedError
	if !errors.As(err, &refused) || refused.Code != comms.CodeBadRange {
		return err
	}
	page, pageErr := s.History(c.Context, comms.History{Room: room, Before: comms.MaxSeq, Limit: 1})
	switch {
	case pageErr != nil:
		return err
	case len(page.Records) == 0:
		return fmt.Errorf("--since %d: nothing has been said in #%s yet", c.Int64("since"), room)
	}
	return fmt.Errorf("--since %d: the newest in #%s is %d", c.Int64("since"), room, page.Records[0].Seq)
}

// unreadable says, once, that no more of a room comes for now and why: who waits
// would take it for silence.
func unreadable(link client.RoomLink, said bool) bool {
	var refused *client.RefusedError
	if said || !errors.As(link.Err, &refused) || refused.Code != comms.CodeUnreadable {
		return said
	}
	fmt.Fprintf(os.Stderr, "px: #%s: %s; trying again\n", link.Room, refused.Message)
	return true
}

func follow(c *cli.Context, s *client.Session, joined <-chan error) error {
	out := json.NewEncoder(os.Stdout)
	said := false // that the store cannot read on
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
			switch e := e.(type) {
			case client.Left: // nobody asked for it
				return fmt.Errorf("#%s is followed no more: %w", e.Room, e.Err)
			case client.Cut:
				fmt.Fprintf(os.Stderr, "px: the store lost its end behind #%d\n", e.At)
			}
			heldUp(e)
			if link, is := e.(client.RoomLink); is {
				said = unreadable(link, said)
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
