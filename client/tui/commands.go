package tui

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// send sends the draft or carries out its command. What cannot be sent stays.
func (a *app) send() {
	r := a.st.Current()
	if r == nil || strings.TrimSpace(r.Draft.String()) == "" {
		return
	}
	line := r.Draft.String()
	parsed, err := state.Parse(line)
	if err != nil {
		a.say("%v", err)
		return
	}
	topic := parsed.Command == "topic" && parsed.Args != ""
	done := false
	switch {
	case topic:
		done = a.speak(r.Name, parsed.Args, true)
	case parsed.Command == "":
		done = a.speak(r.Name, state.Emoji(parsed.Text), false)
	case a.lacks(parsed, r.Name):
		a.say("/%s needs a connection, and there is none now", parsed.Command)
	default:
		done = a.command(r.Name, parsed)
	}
	if done {
		a.st = a.st.Remember(line).Update(r.Name, func(r *state.Room) { r.Draft = r.Draft.Set("") })
	}
}

// speak posts in the open room and goes to its end, where one sees it.
func (a *app) speak(room, text string, topic bool) bool {
	if !a.post(room, text, topic) {
		return false
	}
	a.st = a.st.Update(room, func(r *state.Room) { r.ToEnd(); r.New = 0 })
	a.st = a.st.Focus(!a.st.Blurred) // what came below is on the screen now
	return true
}

// tell answers a command at the end of a room.
func (a *app) tell(room, text string) {
	a.st = a.st.Tell(room, text)
	a.st = a.st.Focus(!a.st.Blurred)
}

// post says something in a room, or sets its topic: now, or once it can be. It
// waits, is kept and may fail where one sees it.
func (a *app) post(room, text string, topic bool) bool {
	check, post := comms.CheckContent, (*client.Session).Post
	if topic {
		check, post = comms.CheckDescription, (*client.Session).PostTopic
	}
	if a.parted(room) {
		return false
	}
	if err := check(text); err != nil {
		a.say("%v", err)
		return false
	}
	a.savedAt = time.Time{} // kept before anything else can happen
	if r := a.st.Room(room); a.session == nil || !r.Joined || r.Joining || len(r.Unposted()) > 0 {
		a.st = a.st.Queue(room, a.ids.Next(), text, topic)
		a.join(room)
		return true
	}
	id, err := post(a.session, room, text)
	if err != nil {
		a.say("%v", err)
		return false
	}
	a.st = a.st.Posted(room, id, text, topic)
	return true
}

// again posts what has failed: what may be stored as the message that it was, all else
// as a new one.
func (a *app) again(room string, l state.Line) {
	if !l.Unsure {
		a.post(room, l.Text, l.Topic)
		return
	}
	a.savedAt = time.Time{} // as of post
	a.st = a.st.Requeue(room, l)
	if r := a.st.Room(room); a.session != nil && r.In() && !r.Joining {
		a.submit(room)
	} else {
		a.join(room)
	}
}

// command carries out a slash command that was typed in a room, and reports whether
// it could: else it stays in the line.
func (a *app) command(room string, c state.Parsed) bool {
	switch c.Command {
	case "join":
		a.open(c.Room)
		return a.st.Active == c.Room
	case "part":
		a.part(cmp.Or(c.Room, room))
	case "create":
		if err := cmp.Or(comms.CheckRoomName(c.Room), comms.CheckDescription(c.Text)); err != nil {
			a.say("%v", err)
			return false
		}
		a.create(c.Room, c.Text)
	case "list":
		a.list(c.Room)
	case "topic":
		a.tell(room, cmp.Or(a.st.Room(room).Description, "no topic is set"))
	case "names":
		text, ok := whoIsIn(a.st, cmp.Or(c.Room, room), room)
		if !ok {
			a.say("%s", text)
			return false
		}
		a.tell(room, text)
	case "msg":
		if r := a.st.Room(c.Room); c.Room == "" || c.Text == "" {
			a.say("/msg #ROOM TEXT; there are no private messages")
		} else if r == nil || r.Place == 0 {
			a.say("you are not in #%s: /join it first", c.Room)
		} else if a.post(c.Room, state.Emoji(c.Text), false) {
			a.say("sent to #%s", c.Room)
			return true
		}
		return false
	case "search":
		return a.search(c.Args)
	case "goto":
		return a.goTo(c.Args)
	case "notify":
		if c.Args != state.NotifyAll && c.Args != state.NotifyMentions && c.Args != state.NotifyNone {
			a.say("/notify all, mentions or none")
			return false
		}
		a.st = a.st.Update(room, func(r *state.Room) { r.Level = c.Args })
		a.say("#%s: notifications of %s", room, c.Args)
	case "copy":
		return a.copy(room, c.Args)
	case "bare":
		a.st.Overlay = state.OverlayBare
	case "retry", "discard":
		if c.Command == "retry" && a.parted(room) {
			return false
		}
		var failed []state.Line
		a.st, failed = a.st.Discard(room)
		for _, l := range failed {
			if c.Command == "retry" {
				a.again(room, l)
			}
		}
		if len(failed) == 0 {
			a.say("no message has failed here")
		}
	case "where":
		a.where(cmp.Or(c.Room, room), room)
	case "whoami":
		a.tell(room, a.st.WhoAmI(a.session != nil))
	case "help":
		a.st.Overlay = state.OverlayHelp
	case "quit":
		a.quit = true
	}
	return true
}

// whoIsIn names who is in a room, in words for those in the open one; not if
// one is not in it oneself.
func whoIsIn(st state.State, name, open string) (text string, ok bool) {
	r := st.Room(name)
	switch {
	case r != nil && !r.Joined && r.Place > 0:
		return "who is in #" + name + " is not known before it is joined", false
	case r == nil || !r.Joined:
		return notIn(name), false
	}
	where := "here"
	if name != open {
		where = "in #" + name
	}
	if r.Link.State == client.LinkReconnecting {
		where += " when the connection was lost"
	}
	return fmt.Sprintf("%d %s: %s", r.Count, where, strings.Join(r.People(), " ")), true
}

func notIn(name string) string { return "you are not in #" + name }

// part leaves a room, at once as far as what is typed next goes: it may be a join of
// the same one.
func (a *app) part(name string) {
	switch err := a.session.Leave(a.ctx, name); {
	case errors.Is(err, client.ErrNotJoined):
		a.say("%s", notIn(name))
	case err != nil:
		a.say("%v", err)
	default:
		a.st = a.st.Leave(name)
	}
}

// copy puts the last messages into the terminal's clipboard: the lowest one that is
// shown, and those above it.
func (a *app) copy(room, args string) bool {
	n := 1
	if args != "" {
		var err error
		if n, err = strconv.Atoi(args); err != nil || n < 1 {
			a.say("/copy takes how many messages")
			return false
		}
	}
	r := a.st.Room(room)
	var texts []string
	for i := len(r.Lines) - 1 - r.Scroll; i >= 0 && len(texts) < n; i-- {
		if l := r.Lines[i]; l.Kind == state.LineMessage {
			text := Clean(l.Text)
			if n > 1 {
				text = Signed(l.Time, l.User, l.Text)
			}
			texts = append([]string{text}, texts...)
		}
	}
	a.screen.SetClipboard([]byte(strings.Join(texts, "\n")))
	a.say("%d copied, if the terminal allows it", len(texts))
	return true
}

func parseSeq(text string) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
}

// parseDay reads a day as /goto takes it.
func parseDay(text string) (time.Time, error) {
	return time.ParseInLocation(time.DateOnly, text, time.Local)
}

const gotoTakes = "/goto takes a message's number or a day as 2026-11-24"
