package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/tui"
	"positivity-exchange/comms"
)

func sendCommand() *cli.Command {
	return &cli.Command{
		Name: "send", Usage: "send a message, or each line of standard input", UsageText: "px send --room general Hello there",
		Description: "Flags stand before the text. One that begins with -, or has a flag in it, follows a --.\n" +
			"Lines of standard input that are empty, or blank, are skipped.",
		Flags: []cli.Flag{
			routerFlag(), &cli.StringFlag{Name: "room", Usage: "`ROOM` to speak in", EnvVars: []string{env("room")}},
			flag("user", "", "`NAME` to use (default: a guest's)"),
			&cli.DurationFlag{Name: "timeout", Usage: "give up after this long (default: never)", EnvVars: []string{env("timeout")}},
			&cli.BoolFlag{Name: "json", Usage: "print an object for each message stored", EnvVars: []string{env("json")}},
		},
		Action: runSend,
	}
}

// inFlight bounds what px send has unacknowledged.
const inFlight = 256

func runSend(c *cli.Context) error {
	if err := needs(c, "room"); err != nil {
		return err
	}
	room, err := roomName(c.String("room"))
	if err != nil {
		return err
	}
	text := strings.Join(c.Args().Slice(), " ")
	if c.Args().Present() && strings.TrimSpace(text) == "" {
		return usagef("there is nothing in the text to send")
	}
	ctx := c.Context
	if d := c.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	s, err := connect(ctx, c, c.String("user"))
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // never fails
	acks, failed := make(chan client.Message, inFlight), make(chan client.SendFailed, inFlight)
	go func() {
		for e := range s.Events() {
			switch e := e.(type) {
			case client.Message:
				if e.Mine {
					acks <- e
				}
			case client.SendFailed:
				failed <- e
			}
		}
	}()
	if err := s.Join(ctx, room, nil); err != nil {
		switch {
		case c.Context.Err() != nil:
			return errInterrupted
		case ctx.Err() != nil:
			return fmt.Errorf("#%s could not be joined within %s: nothing was sent", room, c.Duration("timeout"))
		}
		return err
	}
	lines, ended := make(chan string), make(chan error, 1)
	go func(ended chan<- error) { // it ends with the process if a line is refused
		if c.Args().Present() {
			lines <- text
			ended <- nil
			return
		}
		ended <- tui.ReadLines(ctx, os.Stdin, lines)
	}(ended)
	var bad error              // why there are no more lines; what came before them is awaited
	posted := map[string]int{} // lines that are not acknowledged, by message id
	out := json.NewEncoder(os.Stdout)
	for n := 0; ended != nil || len(posted) > 0; {
		next := lines
		if ended == nil || len(posted) >= inFlight {
			next = nil
		}
		select {
		case bad = <-ended:
			ended = nil
		case line := <-next:
			if n++; strings.TrimSpace(line) == "" {
				continue // as in the client
			}
			var id string
			if id, bad = s.Post(room, line); bad == nil {
				posted[id] = n
				continue
			}
			ended = nil
			if !c.Args().Present() {
				bad = fmt.Errorf("line %d of the input: %w: nothing from there on was sent", n, bad)
			}
		case m := <-acks:
			delete(posted, m.ID)
			if c.Bool("json") {
				if err := out.Encode(struct {
					Room  string `json:"room"`
					ID    string `json:"id"`
					Seq   uint64 `json:"seq"`
					Epoch uint64 `json:"epoch"`
				}{m.Room, m.ID, m.Seq, m.Epoch}); err != nil {
					return err
				}
			}
		case f := <-failed:
			ended = nil // what was posted behind it is stored or refused by itself
			if bad == nil && !c.Args().Present() {
				bad = fmt.Errorf("line %d of the input: %w: up to line %d it was sent all the same", posted[f.ID], f.Err, n)
			} else if bad == nil {
				bad = f.Err
			}
			delete(posted, f.ID)
		case <-ctx.Done():
			if end := sendEnd(c, s); bad == nil || errors.Is(bad, ctx.Err()) || end == errInterrupted {
				return end
			}
			return fmt.Errorf("%w; what stands before it: %w", bad, sendEnd(c, s))
		}
	}
	if bad != nil && errors.Is(bad, ctx.Err()) { // the reader saw it first
		return sendEnd(c, s)
	}
	return bad
}

// sendEnd tells an interruption from a timeout, and what is not acknowledged.
func sendEnd(c *cli.Context, s *client.Session) error {
	if c.Context.Err() != nil {
		return errInterrupted
	}
	var ids []string
	for _, p := range s.Unacknowledged() {
		ids = append(ids, p.ID)
	}
	if len(ids) == 0 {
		return errors.New("timed out; all that was read of the input is stored")
	}
	return fmt.Errorf("timed out with %s not acknowledged: %s", count(len(ids), "message"), strings.Join(ids, " "))
}

func tailCommand() *cli.Command {
	return &cli.Command{
		Name: "tail", Usage: "follow a room, across moves and crashes", UsageText: "px tail --room general --since 0",
		Flags: []cli.Flag{
			routerFlag(), &cli.StringFlag{Name: "room", Usage: "`ROOM` to follow", EnvVars: []string{env("room")}},
			flag("user", "", "`NAME` to use (default: a guest's)"),
			&cli.Int64Flag{Name: "since", Value: -1, Usage: "begin behind this `SEQ`uence; 0: from the beginning (default: only what is new)", EnvVars: []string{env("since")}},
			&cli.IntFlag{Name: "count", Usage: "end after `N` records (default: never)", EnvVars: []string{env("count")}},
			&cli.BoolFlag{Name: "json", Usage: "print an object for each record", EnvVars: []string{env("json")}},
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

// unreadable says, once, that no more of a room comes for now and why: who waits
// would take it for silence.
func unreadable(link client.RoomLink, said bool) bool {
	var refused *client.Refused
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
			if cut, is := e.(client.Cut); is {
				fmt.Fprintf(os.Stderr, "px: the store lost its end behind #%d\n", cut.At)
			}
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

func roomsCommand() *cli.Command {
	return &cli.Command{
		Name: "rooms", Usage: "list rooms", UsageText: "px rooms --prefix go",
		Flags: []cli.Flag{routerFlag(), flag("prefix", "", "only rooms whose name starts with `P`"), &cli.BoolFlag{Name: "json", Usage: "print an array of objects", EnvVars: []string{env("json")}}},
		Action: func(c *cli.Context) error {
			return query(c, noArgs(c), func(ctx context.Context, s *client.Session) error {
				type line struct {
					Name        string `json:"name"`
					Description string `json:"description"`
				}
				lines := []line{}
				for after := ""; ; {
					page, err := s.Rooms(ctx, comms.ListRooms{Prefix: strings.TrimPrefix(c.String("prefix"), "#"), After: after})
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

func table(to io.Writer, rows func(io.Writer)) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// oneArg refuses a command line without the one thing that the command is about.
// Flags may stand behind it.
func oneArg(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usagef("px %s takes one argument; px %s --help shows an example", c.Command.Name, c.Command.Name)
	}
	return nil
}

// roomArg is the room that a command is about.
func roomArg(c *cli.Context) (string, error) {
	if err := oneArg(c); err != nil {
		return "", err
	}
	return roomName(c.Args().First())
}

func createCommand() *cli.Command {
	return &cli.Command{
		Name: "create", Usage: "create a room", UsageText: "px create --description 'Bread and butter' baking",
		Flags: []cli.Flag{routerFlag(), flag("description", "", "`D`escription of the room")},
		Action: func(c *cli.Context) error {
			room, err := roomArg(c)
			return query(c, err, func(ctx context.Context, s *client.Session) error {
				return s.Create(ctx, room, c.String("description"))
			})
		},
	}
}

func whereCommand() *cli.Command {
	return &cli.Command{
		Name: "where", Usage: "ask a room's owner where it is served", UsageText: "px where general",
		Flags: []cli.Flag{routerFlag(), &cli.BoolFlag{Name: "json", Usage: "print an object", EnvVars: []string{env("json")}}},
		Action: func(c *cli.Context) error {
			room, err := roomArg(c)
			return query(c, err, func(ctx context.Context, s *client.Session) error {
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
