package tui

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// ErrNotSent ends Plain when its input has ended and not all of it was stored.
var ErrNotSent = errors.New("not everything was sent")

// PlainOptions configures Plain.
type PlainOptions struct {
	Session *client.Session // logged in; Plain does not close it
	Room    string
	In      io.Reader
	Out     io.Writer
	// Script: what is read was written before anybody saw an answer. A room that
	// cannot be joined or made ends it, since what follows was meant for no other.
	Script bool
}

// Plain is the client as lines alone, for screen readers and pipes: what is
// said is written as it comes, what is read is sent to the room that was opened
// last. It ends with its input or /quit, once everything is acknowledged, or with
// ctx.
func Plain(ctx context.Context, opts PlainOptions) error {
	p := &plainClient{PlainOptions: opts, st: state.State{User: opts.Session.User()}, joins: make(chan joinEnd, 1), answers: make(chan answer, 1)}
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan string)
	var unread error       // set once lines is closed
	var bad, refused error // what ended the input; a room, in a script
	go func() {
		defer close(lines)
		unread = ReadLines(ctx, opts.In, lines)
	}()
	// A read of a terminal cannot be ended; its goroutine ends with the process.
	defer cancel()
	p.join(ctx, opts.Room)
	ended := false // the input has
	for {
		var in <-chan string
		if !p.joining && !p.asked && !ended {
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
		case end := <-p.joins:
			p.joining = false
			p.st = p.st.Update(end.room, func(r *state.Room) { r.Joining = r.Joining && end.err == nil })
			switch {
			case end.err == nil:
				p.enter(end.room)
			case p.room == "":
				return fmt.Errorf("#%s: %w", end.room, end.err)
			case p.Script:
				ended, refused = true, end.refused()
			default:
				p.say("* #%s: %v; you are still in #%s", end.room, end.err, p.room)
			}
		case got := <-p.answers:
			p.asked = false
			for _, line := range got.lines {
				p.say("%s", line)
			}
			switch {
			case got.made == nil:
			case got.made.err == nil:
				p.open(ctx, got.made.room)
			case p.Script:
				ended, refused = true, got.made.refused()
			}
		case line, ok := <-in:
			if !ok {
				ended, bad = true, unread
			} else {
				p.lines++
				ended = p.line(ctx, line)
			}
		}
		if ended && !p.asked && !p.st.Waits() {
			if refused != nil {
				return refused
			}
			if p.failed {
				return errors.Join(bad, ErrNotSent)
			}
			return bad
		}
	}
}

// ReadLines hands over the lines of from, until it or ctx ends. Its error tells
// which line was too long for a message, or could not be read.
func ReadLines(ctx context.Context, from io.Reader, lines chan<- string) error {
	in := bufio.NewScanner(from)
	in.Buffer(nil, comms.MaxContent+len("\r\n"))
	for n := 1; ; n++ {
		more, err := in.Scan(), in.Err()
		switch {
		case errors.Is(err, bufio.ErrTooLong) || more && len(in.Bytes()) > comms.MaxContent:
			return fmt.Errorf("line %d of the input is longer than a message may be, %d bytes: nothing from there on was sent", n, comms.MaxContent)
		case err != nil:
			return fmt.Errorf("line %d of the input: %w", n, err)
		case !more:
			return nil
		}
		select {
		case lines <- in.Text():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type plainClient struct {
	PlainOptions
	st      state.State
	room    string // joined last; empty: none was yet
	before  string // the one before it
	lines   int    // read of the input
	joining bool
	failed  bool // a message was
	asked   bool // answers is waited for; what is typed meanwhile waits
	joins   chan joinEnd
	answers chan answer
}

func (p *plainClient) say(format string, args ...any) {
	fmt.Fprintln(p.Out, oneLine(fmt.Sprintf(format, args...))) //nolint:errcheck // nobody reads any more
}

// joinEnd is what became of joining a room, or making it.
type joinEnd struct {
	room string
	err  error
}

// refused is how a script ends that cannot be in the room.
func (e joinEnd) refused() error {
	return fmt.Errorf("#%s: %w: nothing from there on was sent", e.room, e.err)
}

// answer is what a command has brought: lines to show and, if it was to make a
// room, what became of that.
type answer struct {
	lines []string
	made  *joinEnd
}

// open goes to a room, joining it if need be.
func (p *plainClient) open(ctx context.Context, room string) {
	if r := p.st.Room(room); r != nil && r.In() {
		p.enter(room)
	} else {
		p.join(ctx, room)
	}
}

// enter makes a room that was joined the one that is spoken in.
func (p *plainClient) enter(room string) {
	if room != p.room {
		p.before, p.room = p.room, room
	}
}

// leave goes back to another room if the open one was left. A script stays, and
// ends with an error if it says more: that was meant for no other room.
func (p *plainClient) leave(room string) {
	if room != p.room || p.Script {
		return
	}
	joined := func(name string) bool {
		r := p.st.Room(name)
		return r != nil && r.In() && name != room
	}
	if joined(p.before) {
		p.enter(p.before)
		return
	}
	for _, r := range p.st.Rooms {
		if joined(r.Name) {
			p.enter(r.Name)
			return
		}
	}
}

// join goes on beside the reading of events, without which it could not end. Until
// the room is there the one before is spoken in.
func (p *plainClient) join(ctx context.Context, room string) {
	p.joining, p.st = true, p.st.Join(room)
	go func() { p.joins <- joinEnd{room, p.Session.Join(ctx, room, nil)} }()
}

func (p *plainClient) event(e client.Event) {
	before := p.st
	p.st = p.st.Apply(e)
	switch e := e.(type) {
	case client.Joined:
		p.say("* you are in #%s, %d here: %s", e.Room, e.Count, e.Description)
	case client.Left:
		text := "you have left #" + e.Room
		if e.Err != nil {
			text = fmt.Sprintf("you are not in #%s any more: %v", e.Room, e.Err)
		}
		if r := p.st.Room(e.Room); !r.Joining { // else it was left to be joined again
			p.leave(e.Room)
		}
		if p.room != e.Room && !p.Script {
			text += "; what you write goes to #" + p.room
		}
		p.say("* %s", text)
	case client.Held:
		if e.Err != nil {
			p.say("* #%s: what you said waits: %v", e.Room, e.Err)
		} else {
			p.say("* #%s: what you said is taken again", e.Room)
		}
	case client.Message:
		switch {
		case e.Kind == comms.KindTopic:
			p.say("* #%s: %s set the topic: %s", e.Room, e.User, e.Content)
		case e.Kind == comms.KindMessage:
			for _, line := range strings.Split(signed("#"+e.Room+" ", e.User, e.Content), "\n") {
				p.say("%s", line)
			}
		}
	case client.Presence:
		others := func(names []string) []string {
			return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == p.st.User })
		}
		if text := (state.Line{Joined: others(e.Joined), Left: others(e.Left)}).PresenceText(); text != "" {
			p.say("* #%s: %s, %d here", e.Room, text, e.Count)
		}
	case client.Cut:
		p.say("* #%s: the store lost its end behind message %d", e.Room, e.At)
	case client.SendFailed:
		p.failed = true
		p.say("* not sent to #%s: %v", e.Room, e.Err)
	case client.RouterLink: // each is asked every few seconds
		switch {
		case p.st.Foreign != "" && before.Foreign == "":
			p.say("* another cluster answers at %s: nothing is sent there", e.Addr)
		case !e.Up && p.st.Foreign == "" && (before.Router.Up || before.Router.Addr == ""):
			p.say("* no router answers, trying the next")
		}
	}
}

// line sends a line or carries out its command; true ends the input.
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
		p.post(p.room, state.Emoji(parsed.Text), false)
	case "join":
		p.open(ctx, parsed.Room)
	case "part":
		room := cmp.Or(parsed.Room, p.room)
		if err = p.Session.Leave(ctx, room); errors.Is(err, client.ErrNotJoined) {
			err = errors.New(notIn(room))
		}
		if err == nil {
			p.st = p.st.Leave(room)
			p.leave(room) // the event is yet to come, and perhaps a line before it
		}
	case "topic":
		if parsed.Args != "" {
			p.post(p.room, parsed.Args, true)
		} else if r := p.st.Room(p.room); r != nil {
			p.say("* #%s: %s", p.room, r.Description)
		}
	case "msg":
		if r := p.st.Room(parsed.Room); r == nil || !r.Joined || parsed.Text == "" {
			p.say("* /msg #ROOM TEXT, in a room that you are in")
			return false
		}
		p.post(parsed.Room, state.Emoji(parsed.Text), false)
	case "create", "list", "where", "goto":
		p.asked = true
		last := uint64(0)
		if r := p.st.Room(p.room); r != nil {
			last = r.Last
		}
		go func(open string) { p.answers <- p.answer(ctx, parsed, open, last) }(p.room)
	case "whoami":
		p.say("* you are %s", p.st.User)
	case "names":
		text, _ := whoIsIn(p.st, cmp.Or(parsed.Room, p.room), p.room)
		p.say("* %s", text)
	case "quit":
		if !p.Script && p.st.Waits() {
			p.say("* waiting until all that you said is stored; Ctrl-C ends at once")
		}
		return true
	case "help":
		for _, c := range state.Commands {
			if !needsScreen(c.Name) {
				p.say("* /%s", strings.TrimSpace(strings.TrimSpace(c.Name+" "+c.Args)+": "+c.Does))
			}
		}
		p.say("* //text sends /text")
	default: // needsScreen
		p.say("* /%s needs a screen", parsed.Command)
	}
	if err != nil {
		p.say("* %v", err)
	}
	return false
}

// post sends text to a room, or sets its topic.
func (p *plainClient) post(room, text string, topic bool) {
	post := p.Session.Post
	if topic {
		post = p.Session.PostTopic
	}
	id, err := post(room, text)
	if err != nil {
		if !p.Script { // a person sees which, and goes on
			p.say("* not sent: %v", err)
			return
		}
		p.failed = true
		p.say("* line %d of the input is not sent: %v", p.lines, err)
		return
	}
	p.st = p.st.Posted(room, id, text, topic)
}

// needsScreen reports whether a command means nothing where lines alone are.
func needsScreen(command string) bool {
	switch command {
	case "search", "notify", "copy", "bare", "retry", "discard":
		return true
	}
	return false
}
