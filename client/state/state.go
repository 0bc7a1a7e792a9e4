// Package state is the terminal client's whole picture, changed by pure
// functions: what happened in, a new state out. It draws nothing, dials nothing
// and has no clock; the program that owns it says what time it is.
package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// Pages of the client.
const (
	PageConnect = iota
	PageChat
)

// Marks at one's own messages.
const (
	Queued = '·'
	Stored = '✓'
	Failed = '!'
)

// Kinds of lines.
const (
	LineMessage = iota
	LineNotice  // joins and leaves, topics
	LineCut     // the store lost its end here
)

// maxLines is how many lines a room keeps; older ones are loaded again.
const maxLines = 5000

// State is the whole picture. A value: functions return changed copies.
type State struct {
	Page    int
	Connect Connect
	User    string
	Rooms   []Room // sorted: those joined first, in the order of joining, then by name
	Active  string
	Notice  string // one line that the next key takes away
	Pasting bool
	Since   time.Time // of the login
	Now     time.Time
	Router  client.RouterLink
}

// Connect is the connect page.
type Connect struct {
	Router, Name, Error string
	Field               int
	Busy                bool
}

// Room is one room.
type Room struct {
	Name, Description string
	Joined, Joining   bool
	Loading           bool
	Lines             []Line // by sequence; notices stand where they happened
	Waiting           []Line // own messages without their acknowledgement
	Users             map[string]bool
	Count             int
	Unread            int
	Mention           bool
	Scroll            int
	Draft             Input
	Link              client.RoomLink
	LinkSince         time.Time
	Last              uint64
}

// Line is one entry of the conversation.
type Line struct {
	Kind  int
	Seq   uint64
	User  string
	ID    string
	Text  string
	Time  time.Time
	Mine  bool
	Mark  rune
	Since time.Time // of the mark
}

// Room returns a room, nil if there is none of that name.
func (s State) Room(name string) *Room {
	for i := range s.Rooms {
		if s.Rooms[i].Name == name {
			return &s.Rooms[i]
		}
	}
	return nil
}

// Update changes a room, made if there is none.
func (s State) Update(name string, change func(*Room)) State {
	s.Rooms = slices.Clone(s.Rooms)
	r := s.Room(name)
	if r == nil {
		s.Rooms = append(s.Rooms, Room{Name: name})
		r = &s.Rooms[len(s.Rooms)-1]
	}
	change(r)
	return s
}

// WithRooms adds rooms to the list, or changes their descriptions.
func (s State) WithRooms(rooms []comms.Room) State {
	for _, room := range rooms {
		s = s.Update(room.Name, func(r *Room) { r.Description = room.Description })
	}
	return s
}

// Open makes a room the active one; nothing in it is unread then.
func (s State) Open(name string) State {
	if comms.CheckRoomName(name) != nil {
		s.Notice = "a room name has 1 to 64 of a-z, 0-9 and '-'"
		return s
	}
	s = s.Update(name, func(r *Room) { r.Unread, r.Mention = 0, false })
	s.Active = name
	return s
}

// Next is the name of the room by places further in the list.
func (s State) Next(by int) string {
	for i, r := range s.Rooms {
		if r.Name == s.Active {
			return s.Rooms[(i+by+len(s.Rooms))%len(s.Rooms)].Name
		}
	}
	return s.Active
}

// NextUnread is the first room with a mention, else with unread messages, else "".
func (s State) NextUnread() string {
	for _, r := range s.Rooms {
		if r.Mention {
			return r.Name
		}
	}
	for _, r := range s.Rooms {
		if r.Unread > 0 {
			return r.Name
		}
	}
	return ""
}

// Posted notes an own message that is on its way.
func (s State) Posted(room, id, text string) State {
	return s.Update(room, func(r *Room) {
		r.Waiting = append(slices.Clone(r.Waiting), Line{User: s.User, ID: id, Text: text, Time: s.Now, Mine: true, Mark: Queued, Since: s.Now})
	})
}

// WithHistory merges a page of records into a room.
func (s State) WithHistory(room string, page comms.HistoryPage) State {
	return s.Update(room, func(r *Room) {
		have := map[uint64]bool{}
		for _, l := range r.Lines {
			have[l.Seq] = l.Seq != 0
		}
		var older []Line
		for _, rec := range page.Records {
			if !have[rec.Seq] {
				older = append(older, line(rec, false, s.Now))
			}
		}
		// Older than all that is there, or (the first page) up to the head: in front either way.
		r.Lines = append(older, r.Lines...)
		r.Last = max(r.Last, page.Head)
	})
}

func line(rec comms.Record, mine bool, now time.Time) Line {
	l := Line{Seq: rec.Seq, User: rec.User, ID: rec.ID, Text: rec.Content, Time: time.UnixMilli(rec.Time), Mine: mine, Mark: Stored, Since: now}
	if rec.Kind != comms.KindMessage {
		l.Kind, l.Text = LineNotice, rec.User+" set the topic: "+rec.Content
	}
	return l
}

// Apply takes one event of the session into the picture.
func (s State) Apply(e client.Event) State {
	switch e := e.(type) {
	case client.Joined:
		return s.Update(e.Room, func(r *Room) {
			r.Joined, r.Description, r.Count, r.Last = true, e.Description, e.Count, e.Head.Seq
			r.Users = set(e.Users)
		})
	case client.Left:
		return s.Update(e.Room, func(r *Room) { r.Joined, r.Users, r.Count = false, nil, 0 })
	case client.Message:
		return s.message(e)
	case client.Presence:
		return s.Update(e.Room, func(r *Room) {
			r.Users = maps.Clone(r.Users)
			if r.Users == nil {
				r.Users = map[string]bool{}
			}
			var joined, left []string
			for _, u := range e.Joined {
				if !r.Users[u] && u != s.User {
					joined = append(joined, u)
				}
				r.Users[u] = true
			}
			for _, u := range e.Left {
				if r.Users[u] {
					left = append(left, u)
				}
				delete(r.Users, u)
			}
			r.Count = e.Count
			r.notice(joined, left, s.Now)
		})
	case client.People:
		return s.Update(e.Room, func(r *Room) { r.Users, r.Count = set(e.Users), e.Count })
	case client.Cut:
		return s.Update(e.Room, func(r *Room) {
			kept := slices.DeleteFunc(slices.Clone(r.Lines), func(l Line) bool { return l.Seq > e.At })
			r.Lines = append(kept, Line{Kind: LineCut, Text: fmt.Sprintf("the store lost its end behind #%d", e.At), Time: s.Now})
			r.Last = e.At
		})
	case client.SendFailed:
		return s.Update(e.Room, func(r *Room) {
			r.Waiting = slices.Clone(r.Waiting)
			for i := range r.Waiting {
				if r.Waiting[i].ID == e.ID {
					r.Waiting[i].Mark, r.Waiting[i].Text = Failed, r.Waiting[i].Text+" ("+e.Err.Error()+")"
				}
			}
		})
	case client.RoomLink:
		return s.Update(e.Room, func(r *Room) { r.Link, r.LinkSince = e, s.Now })
	case client.RouterLink:
		s.Router = e
	}
	return s
}

func (s State) message(e client.Message) State {
	return s.Update(e.Room, func(r *Room) {
		if e.Mine {
			r.Waiting = slices.DeleteFunc(slices.Clone(r.Waiting), func(l Line) bool { return l.ID == e.ID })
		}
		for i := len(r.Lines) - 1; i >= 0 && i > len(r.Lines)-200; i-- {
			if r.Lines[i].Seq == e.Seq {
				return // a page of history brought it already
			}
		}
		r.Lines = append(r.Lines[:len(r.Lines):len(r.Lines)], line(e.Record, e.User == s.User, s.Now))
		if len(r.Lines) > maxLines {
			r.Lines = r.Lines[len(r.Lines)-maxLines:]
		}
		r.Last = max(r.Last, e.Seq)
		if e.Kind == comms.KindTopic {
			r.Description = e.Content
		}
		if r.Name != s.Active && e.User != s.User {
			r.Unread++
			r.Mention = r.Mention || strings.Contains(e.Content, "@"+s.User)
		}
	})
}

// notice folds joins and leaves into one line.
func (r *Room) notice(joined, left []string, now time.Time) {
	if len(joined)+len(left) == 0 {
		return
	}
	var parts []string
	for _, p := range []struct {
		names []string
		what  string
	}{{joined, "joined"}, {left, "left"}} {
		if n := len(p.names); n > 3 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.what))
		} else if n > 0 {
			parts = append(parts, strings.Join(p.names, ", ")+" "+p.what)
		}
	}
	text := strings.Join(parts, ", ")
	r.Lines = slices.Clone(r.Lines)
	if n := len(r.Lines); n > 0 && r.Lines[n-1].Kind == LineNotice && r.Lines[n-1].Seq == 0 && len(r.Lines[n-1].Text) < 60 {
		r.Lines[n-1].Text += "; " + text
		return
	}
	r.Lines = append(r.Lines, Line{Kind: LineNotice, Text: text, Time: now})
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// People lists the participants by name.
func (r *Room) People() []string { return slices.Sorted(maps.Keys(r.Users)) }

// Status is the status line of the active room.
func (s State) Status(r *Room) string {
	var parts []string
	if r.Last > 0 {
		parts = append(parts, fmt.Sprintf("#1-%d, no gaps", r.Last))
	}
	switch {
	case r.Link.State == client.LinkReconnecting:
		parts = append(parts, fmt.Sprintf("reconnecting (%d s)", int(s.Now.Sub(r.LinkSince).Seconds())))
	case r.Joining:
		parts = append(parts, "joining")
	}
	if !s.Router.Up {
		parts = append(parts, "no router answers, trying the next")
	}
	if n := len(r.Waiting); n > 0 && r.Link.State == client.LinkReconnecting {
		parts = append(parts, fmt.Sprintf("%d waiting to be sent", n))
	}
	unread, rooms := 0, 0
	for _, room := range s.Rooms {
		if room.Unread > 0 {
			unread, rooms = unread+room.Unread, rooms+1
		}
	}
	if rooms > 0 {
		plural := "s"
		if rooms == 1 {
			plural = ""
		}
		parts = append(parts, fmt.Sprintf("%d unread in %d room%s · Alt-A next", unread, rooms, plural))
	}
	parts = append(parts, fmt.Sprintf("@%s for %s", s.User, s.Now.Sub(s.Since).Truncate(time.Second)))
	return strings.Join(parts, " · ")
}
