package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"positivity-exchange/client"
	"positivity-exchange/client/tui"
)

func sendCommand() *cli.Command {
	return &cli.Command{
		Name: "send", Usage: "send a message, or each line of standard input", UsageText: "px send --room general Hello there",
		Description: "Flags stand before the text. One that begins with -, or has a flag in it, follows a --.\n" +
			"Lines of standard input that are empty, or blank, are skipped. Interrupted, or out of time, it says up to\n" +
			"which line all is stored.\n\n" +
			"--json prints an object a line for each message stored: room, id (the message's), seq (its number in the\n" +
			"room), epoch (of the ownership that it was stored under).",
		Flags: []cli.Flag{
			routerFlag(), flag("room", "", "`ROOM` to speak in"),
			flag("user", "", "`NAME` to use (default: a guest's)"),
			&cli.DurationFlag{Name: "timeout", Usage: "give up after this long", DefaultText: "never", EnvVars: []string{env("timeout")}},
			jsonFlag("print an object for each message stored"),
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
	if c.Args().Present() && strings.TrimSpace(textOf(c)) == "" {
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
	acks, refusals := make(chan client.Message, inFlight), make(chan client.SendFailed, inFlight)
	go func() {
		for e := range s.Events() {
			switch e := e.(type) {
			case client.Message:
				if e.Mine {
					acks <- e
				}
			case client.SendFailed:
				refusals <- e
			default:
				heldUp(e)
			}
		}
	}()
	if err := s.Join(ctx, room, nil); err != nil {
		switch {
		case c.Context.Err() != nil:
			fmt.Fprintln(os.Stderr, "px: interrupted: nothing was sent")
			return errInterrupted
		case ctx.Err() != nil:
			nothing := fmt.Errorf("#%s could not be joined within %s: nothing was sent", room, c.Duration("timeout"))
			if refused := (*client.RefusedError)(nil); errors.As(err, &refused) {
				return fmt.Errorf("%w: %w", nothing, refused)
			}
			return nothing
		}
		return err
	}
	return (&sending{c: c, ctx: ctx, session: s, room: room, posted: map[string]int{}}).run(acks, refusals)
}

// textOf is the text on the command line; without one the lines of standard
// input are sent.
func textOf(c *cli.Context) string { return strings.Join(c.Args().Slice(), " ") }

// sending is one px send at work in a room it has joined.
type sending struct {
	c       *cli.Context
	ctx     context.Context // ends with the timeout too
	session *client.Session
	room    string

	reading <-chan error   // says why no more lines come; nil: none come any more
	n       int            // lines read
	refused int            // the first line that was; 0: none
	posted  map[string]int // lines that are not acknowledged, by message id
	bad     error          // why there are no more lines; what came before them is awaited
}

// run sends all lines and returns once each is acknowledged or refused.
func (s *sending) run(acks <-chan client.Message, refusals <-chan client.SendFailed) error {
	lines := make(chan string)
	s.reading = s.read(lines)
	for s.reading != nil || len(s.posted) > 0 {
		next := lines
		if s.reading == nil || len(s.posted) >= inFlight {
			next = nil
		}
		select {
		case s.bad = <-s.reading:
			s.reading = nil
		case line := <-next:
			s.line(line)
		case m := <-acks:
			if err := s.acked(m); err != nil {
				return err
			}
		case f := <-refusals:
			s.failed(f)
		case <-s.ctx.Done():
			return s.end()
		}
	}
	if s.bad != nil && errors.Is(s.bad, s.ctx.Err()) { // the reader saw it first
		return s.end()
	}
	return s.bad
}

// read gives all lines to be sent, then says why there are no more. It ends with
// the process if a line is refused: a read of a terminal cannot be ended.
func (s *sending) read(lines chan<- string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		if s.c.Args().Present() {
			lines <- textOf(s.c)
			ended <- nil
			return
		}
		ended <- tui.ReadLines(s.ctx, os.Stdin, lines)
	}()
	return ended
}

// line posts one, unless it is blank, as the client does.
func (s *sending) line(line string) {
	s.n++
	if strings.TrimSpace(line) == "" {
		return
	}
	id, err := s.session.Post(s.room, line)
	if err == nil {
		s.posted[id] = s.n
		return
	}
	s.reading, s.bad, s.refused = nil, err, s.n
	if !s.c.Args().Present() {
		s.bad = fmt.Errorf("line %d of the input: %w: nothing from there on was sent", s.n, err)
	}
}

// acked takes a line off those that are waited for. Its error is standard output's.
func (s *sending) acked(m client.Message) error {
	delete(s.posted, m.ID)
	if !s.c.Bool("json") {
		return nil
	}
	return json.NewEncoder(os.Stdout).Encode(struct {
		Room  string `json:"room"`
		ID    string `json:"id"`
		Seq   uint64 `json:"seq"`
		Epoch uint64 `json:"epoch"`
	}{m.Room, m.ID, m.Seq, m.Epoch})
}

// failed ends the reading; what was posted behind the line that was refused is
// stored or refused by itself.
func (s *sending) failed(f client.SendFailed) {
	s.reading = nil
	if s.bad == nil {
		s.bad, s.refused = f.Err, s.posted[f.ID]
		if !s.c.Args().Present() {
			s.bad = fmt.Errorf("line %d of the input: %w: up to line %d it was sent all the same", s.posted[f.ID], f.Err, s.n)
		}
	}
	delete(s.posted, f.ID)
}

// end tells an interruption from a timeout, what is stored and what is not
// acknowledged, and what had gone wrong before.
func (s *sending) end() error {
	over, stopped := "timed out", s.ctx.Err()
	if s.c.Context.Err() != nil {
		over = "interrupted"
	}
	err := fmt.Errorf("%s: %s", over, s.stored())
	if s.bad != nil && !errors.Is(s.bad, stopped) {
		err = fmt.Errorf("%w; what stands before it: %w", s.bad, err)
	}
	if s.c.Context.Err() != nil {
		fmt.Fprintln(os.Stderr, "px:", err)
		return errInterrupted
	}
	return err
}

// stored says how much of the input certainly is, and what may be.
func (s *sending) stored() string {
	var ids []string
	upTo := s.n
	if s.refused > 0 {
		upTo = s.refused - 1
	}
	for _, p := range s.session.Unacknowledged() {
		ids = append(ids, p.ID)
		upTo = min(upTo, s.posted[p.ID]-1)
	}
	var parts []string
	if upTo > 0 && !s.c.Args().Present() {
		parts = append(parts, fmt.Sprintf("up to line %d of the input all is stored", upTo))
	}
	if len(ids) > 0 {
		parts = append(parts, fmt.Sprintf("%s not acknowledged: %s", count(len(ids), "message"), strings.Join(ids, " ")))
	}
	return cmp.Or(strings.Join(parts, "; "), "nothing was sent")
}
