// Package state is the terminal client's whole picture, changed by pure
// functions: what happened in, a new state out. It draws nothing, dials nothing,
// touches no disk and has no clock; the program that owns it says what time it is.
package state

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// Pages of the client.
const (
	PageConnect = iota
	PageChat
)

// Overlays above the chat page.
const (
	OverlayNone = iota
	OverlayHelp
	OverlayPalette
	OverlayBare    // messages alone, for the terminal's own selection
	OverlayPreview // a paste of several lines that waits for a word
)

// Marks at one's own messages.
const (
	Queued = '·'
	Stored = '✓'
	Failed = '!'
)

// Kinds of lines.
const (
	LineMessage  = iota
	LineNotice   // a topic, or a record of a kind not known here
	LinePresence // joins and leaves, folded
	LineCut      // the store lost its end here
)

// Levels of a room's notifications.
const (
	NotifyAll      = "all"
	NotifyMentions = "mentions"
	NotifyNone     = "none"
)

// maxLines is how many lines a room keeps while its end is shown; older ones
// are loaded again.
const maxLines = 5000

// State is the whole picture. A value: functions return changed copies, which
// share what did not change. A state is meant to have one successor: the lines
// that one adds stand behind those of its predecessor, in the same memory.
type State struct {
	Page     int
	Overlay  int
	Connect  Connect
	User     string
	Rooms    []*Room // never changed in place; those joined first, in the order of joining, then the others by name
	Active   string
	Previous string // the room before Active
	Notice   string // one line that the next key takes away
	Palette  Palette
	Paste    string // waiting in the preview
	Pasting  bool
	Search   string // highlighted on screen
	Inputs   []string
	Since    time.Time // of the login
	Now      time.Time
	Router   client.RouterLink
	Blurred  bool // the terminal says that it is not looked at
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
	Lines             []Line // in order of sequence; what is not recorded stands where it happened
	Waiting           []Line // own messages without their acknowledgement
	Users             map[string]bool
	Count             int
	Unread, Mentions  int
	Level             string // of notifications; empty is NotifyAll
	Read              uint64 // newest sequence that was read
	Marker            uint64 // the line of new messages stands behind this one; 0: none
	Scroll            int    // lines hidden below the screen; 0 follows the conversation
	Draft             Input
	Link              client.RoomLink
	LinkSince         time.Time
	Last              uint64 // newest sequence known to exist
}

// Line is one entry of the conversation.
type Line struct {
	Kind         int
	Seq          uint64 // 0: not recorded in the room
	After        uint64 // of a line that is not recorded: the sequence it follows
	User         string
	ID           string
	Text         string
	Time         time.Time
	Mine         bool
	Mark         rune
	Since        time.Time // of the mark
	Reason       string    // of a failure
	Seen         uint64    // head when it was first posted
	Joined, Left []string  // of LinePresence
}

// Room returns a room, nil if there is none of that name.
func (s State) Room(name string) *Room {
	for _, r := range s.Rooms {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Current is the active room, nil if there is none.
func (s State) Current() *Room { return s.Room(s.Active) }

// Update changes a room, made if there is none.
func (s State) Update(name string, change func(*Room)) State {
	s.Rooms = slices.Clone(s.Rooms)
	i := slices.IndexFunc(s.Rooms, func(r *Room) bool { return r.Name == name })
	if i < 0 {
		i = len(s.Rooms)
		s.Rooms = append(s.Rooms, &Room{Name: name})
	}
	r := *s.Rooms[i]
	change(&r)
	moved := r.Joined != s.Rooms[i].Joined
	s.Rooms[i] = &r
	if moved {
		s.Rooms = sorted(s.Rooms, name)
	}
	return s
}

// sorted puts the joined rooms first, the one that just changed last of them,
// and the others in order of their names.
func sorted(rooms []*Room, changed string) []*Room {
	var in, out []*Room
	var last *Room
	for _, r := range rooms {
		switch {
		case r.Joined && r.Name == changed:
			last = r
		case r.Joined:
			in = append(in, r)
		default:
			out = append(out, r)
		}
	}
	if last != nil {
		in = append(in, last)
	}
	slices.SortFunc(out, func(a, b *Room) int { return strings.Compare(a.Name, b.Name) })
	return append(in, out...)
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
	if name != s.Active {
		if r := s.Current(); r != nil {
			s = s.Update(s.Active, func(r *Room) { r.Marker = 0 })
			s.Previous = s.Active
		}
	}
	s.Active = name
	s.Search = ""
	return s.Update(name, func(r *Room) {
		if r.Unread > 0 && r.Read > 0 && r.Read < r.Last {
			r.Marker = r.Read
		}
		r.read()
	})
}

// read takes everything in the room as read.
func (r *Room) read() { r.Unread, r.Mentions, r.Read = 0, 0, max(r.Read, r.Last) }

// Focus notes whether the terminal is looked at.
func (s State) Focus(focused bool) State {
	s.Blurred = !focused
	if r := s.Current(); focused && r != nil {
		s = s.Update(s.Active, func(r *Room) {
			if r.Unread > 0 && r.Marker == 0 && r.Read < r.Last {
				r.Marker = r.Read
			}
			r.read()
		})
	}
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

// NextUnread is the first room with a mention, else with unread messages that
// are not muted, else "".
func (s State) NextUnread() string {
	for _, r := range s.Rooms {
		if r.Mentions > 0 {
			return r.Name
		}
	}
	for _, r := range s.Rooms {
		if r.Unread > 0 && r.Level != NotifyNone {
			return r.Name
		}
	}
	return ""
}

// Totals counts unread messages and mentions in rooms that are not muted.
func (s State) Totals() (unread, mentions, rooms int) {
	for _, r := range s.Rooms {
		mentions += r.Mentions
		if r.Unread > 0 && r.Level != NotifyNone {
			unread, rooms = unread+r.Unread, rooms+1
		}
	}
	return unread, mentions, rooms
}

// People lists the participants by name.
func (r *Room) People() []string { return slices.Sorted(maps.Keys(r.Users)) }

// Mentions reports whether text speaks of user: its name as a word, with or
// without an @.
func Mentions(text, user string) bool {
	if user == "" {
		return false
	}
	isWord := func(r rune) bool { return r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	for from := 0; ; {
		i := strings.Index(text[from:], user)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(user):])
		if (i == 0 || !isWord(before)) && (i+len(user) == len(text) || !isWord(after)) {
			return true
		}
		from = i + len(user)
	}
}
