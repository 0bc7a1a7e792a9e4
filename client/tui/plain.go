package tui

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// PlainOptions configures Plain.
type PlainOptions struct {
	Session *client.Session // logged in; Plain does not close it
	Room    string
	In      io.Reader
	Out     io.Writer
}

// Plain is the client as lines alone, for screen readers and pipes: what is
// said is written as it comes, what is read is sent to the room that was opened
// last. It ends with its input, once everything is acknowledged, or with ctx.
func Plain(ctx context.Context, opts PlainOptions) error {
	p := &plainClient{PlainOptions: opts, st: state.State{User: opts.Session.User()}, first: true, joins: make(chan error, 1)}
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	lines := make(chan string)
	reading.Go(func() {
		defer close(lines)
		in := bufio.NewScanner(opts.In)
		in.Buffer(nil, comms.MaxContent+1)
		for in.Scan() {
			select {
			case lines <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	})
	// A read of a terminal cannot be ended; its goroutine ends with the process.
	defer cancel()
	p.join(ctx, opts.Room)
	ended := false // the input has
	for {
		var in <-chan string
		if !p.joining && !ended {
			in = lines // what is typed before the room is there waits
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-opts.Session.Events():
			if !ok {
				return client.ErrClosed
			}
			p.event(e)
		case err := <-p.joins:
			p.joining = false
			if err != nil && p.st.Room(p.room) == nil && p.first {
				return fmt.Errorf("#%s: %w", p.room, err)
			}
			if err != nil {
				p.say("* #%s: %v", p.room, err)
			}
			p.first = false
		case line, ok := <-in:
			if !ok {
				ended = true
			} else if p.line(ctx, line) {
				return nil
			}
		}
		if ended && !p.st.Waits() {
			return nil
		}
	}
}

type plainClient struct {
	PlainOptions
	st      state.State
	room    string
	joining bool
	first   bool
	joins   chan error
}

func (p *plainClient) say(format string, args ...any) {
	fmt.Fprintln(p.Out, oneLine(fmt.Sprintf(format, args...))) //nolint:errcheck // nobody reads any more
}

// join goes on beside the reading of events, without which it could not end.
func (p *plainClient) join(ctx context.Context, room string) {
	p.room, p.joining = room, true
	go func() { p.joins <- p.Session.Join(ctx, room, nil) }()
}

func (p *plainClient) event(e client.Event) {
	p.st = p.st.Apply(e)
	switch e := e.(type) {
	case client.Joined:
		p.say("* you are in #%s, %d here: %s", e.Room, e.Count, e.Description)
	case client.Left:
		p.say("* you have left #%s", e.Room)
	case client.Message:
		switch {
		case e.Kind == comms.KindTopic:
			p.say("* #%s: %s set the topic: %s", e.Room, e.User, e.Content)
		case e.Kind == comms.KindMessage:
			for _, line := range strings.Split(Clean(e.Content), "\n") {
				p.say("#%s %s: %s", e.Room, e.User, line)
			}
		}
	case client.Presence:
		text := state.Line{Joined: e.Joined, Left: e.Left}.PresenceText()
		p.say("* #%s: %s, %d here", e.Room, text, e.Count)
	case client.Cut:
		p.say("* #%s: the store lost its end behind message %d", e.Room, e.At)
	case client.SendFailed:
		p.say("* not sent to #%s: %v", e.Room, e.Err)
	case client.RouterLink:
		if !e.Up {
			p.say("* no router answers, trying the next")
		}
	}
}

// line sends a line or carries out its command; true ends the client.
func (p *plainClient) line(ctx context.Context, line string) (quit bool) {
	if strings.TrimSpace(line) == "" {
		return false
	}
	parsed, err := state.Parse(line)
	if err != nil {
		p.say("* %v", err)
		return false
	}
	switch parsed.Command {
	case "":
		text := state.Emoji(parsed.Text)
		id, err := p.Session.Post(p.room, text)
		if err != nil {
			p.say("* not sent: %v", err)
			return false
		}
		p.st = p.st.Posted(p.room, id, text)
	case "join":
		room := strings.TrimPrefix(parsed.Args, "#")
		if r := p.st.Room(room); r != nil && r.Joined {
			p.room = room
		} else {
			p.join(ctx, room)
		}
	case "part":
		err = p.Session.Leave(ctx, p.room)
	case "topic":
		_, err = p.Session.PostTopic(p.room, parsed.Args)
	case "names":
		if r := p.st.Room(p.room); r != nil {
			p.say("* %d here: %s", r.Count, strings.Join(r.People(), " "))
		}
	case "quit":
		return true
	case "help":
		for _, name := range []string{"/join ROOM", "/part", "/topic TEXT", "/names", "/me TEXT", "/quit", "//text sends /text"} {
			p.say("* %s", name)
		}
	default:
		p.say("* /%s needs a screen", parsed.Command)
	}
	if err != nil {
		p.say("* %v", err)
	}
	return false
}
