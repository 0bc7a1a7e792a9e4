package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"positivity-exchange/comms"
)

// maxInputs is how many lines of input are kept to recall.
const maxInputs = 500

// Saved is what outlives the program: drafts, what was not acknowledged, how
// far rooms were read. A plain value for a file.
type Saved struct {
	User   string               `json:"user,omitempty"`
	Active string               `json:"active,omitempty"`
	Rooms  map[string]SavedRoom `json:"rooms,omitempty"`
	Outbox []SavedMessage       `json:"outbox,omitempty"`
	Inputs []string             `json:"inputs,omitempty"`
}

// SavedRoom is one room's part of it.
type SavedRoom struct {
	Joined bool   `json:"joined,omitempty"`
	Parted bool   `json:"parted,omitempty"`
	Draft  string `json:"draft,omitempty"`
	Aside  string `json:"aside,omitempty"` // comes back once the command that is the draft is done
	Read   uint64 `json:"read,omitempty"`
	Level  string `json:"level,omitempty"`
	Place  int    `json:"place,omitempty"`
	About  string `json:"about,omitempty"`
	// Visited tells a room that was left empty, and is read up to nothing, from
	// one that was never entered. Files of earlier versions do not have it.
	Visited bool `json:"visited,omitempty"`
}

// SavedMessage is a message whose fate is not known.
type SavedMessage struct {
	Room string `json:"room"`
	ID   string `json:"id"`
	Text string `json:"text"`
	Seen uint64 `json:"seen"`
	// Topic says that Text is to be the room's description.
	Topic bool `json:"topic,omitempty"`
	// Failed says why it was refused for good; it is kept to be sent again.
	Failed string `json:"failed,omitempty"`
	// Unsure says that it may be stored, though it failed.
	Unsure bool `json:"unsure,omitempty"`
}

// Written is what somebody has written since before was saved, and no server has, in
// words; "" is nothing.
func (s Saved) Written(before Saved) string {
	var parts []string
	unsent := 0
	for _, m := range s.Outbox {
		if !slices.ContainsFunc(before.Outbox, func(old SavedMessage) bool { return old.Room == m.Room && old.ID == m.ID }) {
			unsent++
		}
	}
	switch unsent {
	case 0:
	case 1:
		parts = append(parts, "1 message that was not sent")
	default:
		parts = append(parts, fmt.Sprintf("%d messages that were not sent", unsent))
	}
	drafts := 0
	for name, r := range s.Rooms {
		old := before.Rooms[name]
		if (r.Draft != "" || r.Aside != "") && (r.Draft != old.Draft || r.Aside != old.Aside) {
			drafts++
		}
	}
	if drafts > 0 {
		parts = append(parts, count(drafts, "draft"))
	}
	return strings.Join(parts, " and ")
}

// Save takes out what is to outlive the program.
func (s State) Save() Saved {
	saved := Saved{User: s.User, Active: s.Active, Rooms: map[string]SavedRoom{}, Inputs: s.Inputs}
	for _, r := range s.Rooms {
		one := SavedRoom{
			Joined: r.In() || r.Joining || r.Place > 0, Parted: r.Parted, Visited: r.Visited, Draft: r.Draft.String(), Aside: r.Draft.Aside(),
			Read: r.Read, Level: r.Level, Place: r.Place,
		}
		if r.Place > 0 {
			one.About = r.Description
		}
		if one != (SavedRoom{}) {
			saved.Rooms[r.Name] = one
		}
		for _, l := range r.Waiting {
			saved.Outbox = append(saved.Outbox, SavedMessage{r.Name, l.ID, l.Text, l.Seen, l.Topic, l.Reason, l.Unsure})
		}
	}
	return saved
}

// Restore puts what was saved into a state that has not joined anything yet.
// Rooms that were joined and messages that wait are for the program to take up
// again.
func (s State) Restore(saved Saved) State {
	s.Inputs, s.User = saved.Inputs, cmp.Or(s.User, saved.User)
	names := slices.Sorted(maps.Keys(saved.Rooms))
	for _, name := range names {
		one := saved.Rooms[name]
		if comms.CheckRoomName(name) != nil {
			continue // written by another hand
		}
		s = s.Update(name, func(r *Room) {
			r.Draft = NewInput(one.Draft)
			if one.Aside != "" {
				r.Draft = NewInput(one.Aside).Command(one.Draft)
			}
			r.Read, r.Level, r.Place, r.Description, r.Visited, r.Parted = one.Read, one.Level, one.Place, one.About, one.Visited, one.Parted
		})
		if one.Joined {
			s = s.Take(name) // of a file that has no places yet
		}
	}
	for _, m := range saved.Outbox {
		if comms.CheckRoomName(m.Room) != nil {
			continue
		}
		s = s.Update(m.Room, func(r *Room) {
			l := Line{User: saved.User, ID: m.ID, Text: m.Text, Time: s.Now, Mine: true, Topic: m.Topic, Mark: Queued, Since: s.Now, Seen: m.Seen, Unsure: m.Unsure}
			if m.Failed != "" {
				l.Mark, l.Reason = Failed, m.Failed
			}
			r.Waiting = append(slices.Clone(r.Waiting), l)
		})
	}
	s.Rooms = sorted(s.Rooms)
	return s
}

// Remember keeps a line of input to be recalled.
func (s State) Remember(text string) State {
	if n := len(s.Inputs); text == "" || n > 0 && s.Inputs[n-1] == text {
		return s
	}
	s.Inputs = append(slices.Clone(s.Inputs[max(0, len(s.Inputs)-maxInputs+1):]), text)
	return s
}
