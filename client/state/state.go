// Package state is the terminal client's whole picture, changed by pure
// functions: what happened in, a new state out. It draws nothing, dials nothing,
// touches no disk and has no clock; the program that owns it says what time it is.
package state

import (
	"cmp"
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

// maxLines is how many lines the open room keeps while its end is shown, and
// maxOther how many another room; older ones are loaded again. One that is
// scrolled up keeps more: see add.
const (
	maxLines = 5000
	maxOther = 500
)

// State is the whole picture. A value: functions return changed copies, which
// share what did not change. A state is meant to have one successor: the lines
// that one adds stand behind those of its predecessor, in the same memory.
type State struct {
	Page      int
	Overlay   int
	Connect   Connect
	User      string
	Rooms     []*Room // never changed in place; those with a place first, in its order, then the others by name
	Active    string
	Previous  string // the room before Active
	Notice    string // one line that the next key, or time, takes away
	Palette   Palette
	Paste     string // waiting in the preview
	PasteRoom string // that it was pasted in
	Pasting   bool
	Search    string // highlighted on screen
	Inputs    []string
	Since     time.Time // of the login
	Now       time.Time
	Router    client.RouterLink
	Foreign   string // where another cluster has answered since a router was there; empty: nowhere
	Blurred   bool   // the terminal says that it is not looked at
	Killed    string // what was cut last, in any room
	Offline   string // why there is no session yet; empty: there is one, or the first try is under way
}

// Connect is the connect page.
type Connect struct {
	Router, Name Input
	Error        string
	Field        int // that is written in: 0 is Router, 1 Name
	Busy         bool
}

// Room is one room.
type Room struct {
	Name, Description string
	Joined, Joining   bool
	Parted            bool      // left by one's own wish: what is written here waits for a join; if Joined too, its shard has yet to agree
	Held              string    // why its shard does not take what waits, for now
	Visited           bool      // joined once, in this visit or one before
	Place             int       // in the list, kept across restarts; 0: not taken part in
	Loading           bool      // a page that is scrolled to
	LoadingSince      time.Time // see Loading
	Unloaded          bool      // the last such page did not come
	Lines             []Line    // in order of sequence; what is not recorded stands where it happened
	Waiting           []Line    // own messages without their acknowledgement
	Users             map[string]bool
	Count             int
	Unread, Mentions  int
	Level             string // of notifications; empty is NotifyAll
	Read              uint64 // newest sequence that was read
	Marker            uint64 // the line of new messages stands behind this one, if New is not 0
	New               int    // how many messages stand behind the marker; 0: there is none
	Scroll            int    // lines hidden below the screen
	Under             int    // rows of the lowest line shown that are hidden too; who draws knows the rows
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
	Topic        bool // Text is to be the room's description; once it is, this is a LineNotice
	Mark         rune
	Since        time.Time     // of the mark
	Reason       string        // of a failure
	Unsure       bool          // of a failure: it may be stored all the same
	Seen         uint64        // head when it was first posted
	Posted       bool          // handed to the session that there is now
	Joined, Left []string      // of LinePresence
	Raw          *comms.Record // what is recorded, where it is no message; Text tells it
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
	moved := r.Place != s.Rooms[i].Place
	s.Rooms[i] = &r
	if moved {
		s.Rooms = sorted(s.Rooms)
	}
	return s
}

// sorted puts the rooms with a place first, then the others in order of their
// names.
func sorted(rooms []*Room) []*Room {
	rooms = slices.Clone(rooms)
	slices.SortStableFunc(rooms, func(a, b *Room) int {
		switch {
		case a.Place > 0 && b.Place > 0:
			return cmp.Compare(a.Place, b.Place)
		case a.Place > 0 || b.Place > 0:
			return cmp.Compare(b.Place, a.Place)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return rooms
}

// Leave notes the wish to be out of a room. The event Left tells when one is.
func (s State) Leave(name string) State {
	return s.Update(name, func(r *Room) { r.Parted, r.Place = true, 0 })
}

// Join notes the wish to be in a room. The event Joined tells when one is.
func (s State) Join(name string) State {
	return s.Update(name, func(r *Room) { r.Parted, r.Joining = false, true })
}

// In reports whether one is in a room, and is to stay there.
func (r *Room) In() bool { return r.Joined && !r.Parted }

// Take gives a room the next place in the list, if it has none.
func (s State) Take(name string) State {
	last := 0
	for _, r := range s.Rooms {
		last = max(last, r.Place)
	}
	return s.Update(name, func(r *Room) {
		if r.Place == 0 {
			r.Place = last + 1
		}
	})
}

// WithRooms adds rooms to the list, or changes their descriptions.
func (s State) WithRooms(rooms []comms.Room) State {
	known := make(map[string]int, len(s.Rooms))
	for i, r := range s.Rooms {
		known[r.Name] = i
	}
	list := slices.Clone(s.Rooms)
	for _, room := range rooms {
		if comms.CheckRoomName(room.Name) != nil {
			continue // a server's nonsense
		}
		i, ok := known[room.Name]
		if !ok {
			i, known[room.Name] = len(list), len(list)
			list = append(list, &Room{Name: room.Name})
		}
		r := *list[i]
		r.Description = room.Description
		list[i] = &r
	}
	s.Rooms = sorted(list)
	return s
}

// General is the room that everybody can go to.
const General = "general"

// Forget takes away a room that does not exist, unless something was written
// for it, and goes back to the room before, else to one that is taken part in,
// else to the general one: a room that is only known of is not entered. The last
// one stays, since a screen without a room takes no command.
func (s State) Forget(name string) State {
	r := s.Room(name)
	if r == nil || !r.Draft.Empty() || len(r.Waiting) > 0 {
		return s
	}
	with := s
	s.Rooms = slices.DeleteFunc(slices.Clone(s.Rooms), func(r *Room) bool { return r.Name == name })
	if s.Active == name {
		back := cmp.Or(s.At(0), General)
		if s.Room(s.Previous) != nil {
			back = s.Previous
		}
		if back == name {
			return with
		}
		s.Active = ""
		s = s.Open(back)
	}
	if s.Previous == name || s.Previous == s.Active {
		s.Previous = ""
	}
	return s
}

// Open makes a room the active one. It shows the place where it was left, and is
// read if that is its end. Who asks for the open room is taken to what is unread.
func (s State) Open(name string) State {
	if comms.CheckRoomName(name) != nil {
		s.Notice = "a room name has 1 to 64 of a-z, 0-9 and '-'"
		return s
	}
	if name != s.Active {
		if r := s.Current(); r != nil {
			s = s.Update(s.Active, func(r *Room) { r.New = 0 })
			s.Previous = s.Active
		}
	}
	again := name == s.Active
	s.Active = name
	s.Search = ""
	return s.Update(name, func(r *Room) {
		if again && r.Unread > 0 {
			r.ToEnd()
		}
		r.look()
	})
}

// Next is the name of the room by places further among those taken part in:
// passing by a room must not mean to enter it.
func (s State) Next(by int) string {
	rooms := slices.DeleteFunc(slices.Clone(s.Rooms), func(r *Room) bool { return r.Place == 0 && r.Name != s.Active })
	for i, r := range rooms {
		if r.Name == s.Active {
			return rooms[((i+by)%len(rooms)+len(rooms))%len(rooms)].Name
		}
	}
	return s.Active
}

// At is the name of the i-th room of those taken part in, "" if there are fewer.
func (s State) At(i int) string {
	if i >= 0 && i < len(s.Rooms) && s.Rooms[i].Place > 0 {
		return s.Rooms[i].Name
	}
	return ""
}

// Edit changes the draft of the active room. What is cut in one room can be
// pasted in another.
func (s State) Edit(change func(Input) Input) State {
	if s.Current() == nil {
		return s
	}
	killed := s.Killed
	s = s.Update(s.Active, func(r *Room) {
		r.Draft.killed = killed
		r.Draft = change(r.Draft)
		killed = r.Draft.killed
	})
	s.Killed = killed
	return s
}

// Tell puts a line into a room that only this user sees: the answer to a command.
func (s State) Tell(room, text string) State {
	return s.Update(room, func(r *Room) {
		r.ToEnd()
		r.add(Line{Kind: LineNotice, After: r.Last, Text: text, Time: s.Now}, maxLines)
	})
}

// People lists the participants by name.
func (r *Room) People() []string { return slices.Sorted(maps.Keys(r.Users)) }
