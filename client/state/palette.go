package state

import (
	"strconv"
	"strings"

	"github.com/sahilm/fuzzy"
)

// Palette finds rooms, people and commands by a few letters.
type Palette struct {
	Query  Input
	Chosen int // index into the choices
}

// Choice is one line of the palette.
type Choice struct {
	Kind  string // "room", "person" or "command"
	Name  string
	About string
	Badge string
	Marks []int // bytes of Name that matched
}

// Choices are what fits the palette's query, the best first. Without a query
// these are rooms, those with mentions and unread messages first; # alone asks
// for the rooms in the order of the list, / for the commands in that of the help.
func (s State) Choices() []Choice {
	var all []Choice
	var keys []string
	add := func(c Choice) {
		all = append(all, c)
		keys = append(keys, c.Name)
	}
	query := strings.TrimSpace(s.Palette.Query.String())
	if !strings.HasPrefix(query, "/") {
		var later []Choice
		for _, r := range s.Rooms {
			c := Choice{Kind: "room", Name: "#" + r.Name, About: r.Description, Badge: r.Badge()}
			if query == "" && c.Badge == "" {
				later = append(later, c)
			} else {
				add(c)
			}
		}
		for _, c := range later {
			add(c)
		}
	}
	if query == "" || query == "#" {
		return all
	}
	if !strings.HasPrefix(query, "#") {
		for _, c := range Commands {
			add(Choice{Kind: "command", Name: "/" + c.Name, About: c.Does})
		}
		if query == "/" {
			return all
		}
		rooms := map[string][]string{}
		var names []string
		for _, r := range s.Rooms {
			for _, u := range r.People() {
				if rooms[u] == nil {
					names = append(names, u)
				}
				rooms[u] = append(rooms[u], "#"+r.Name)
			}
		}
		for _, u := range names {
			add(Choice{Kind: "person", Name: u, About: "in " + strings.Join(rooms[u], ", ")})
		}
	}
	var found []Choice
	for _, m := range fuzzy.Find(query, keys) {
		c := all[m.Index]
		c.Marks = m.MatchedIndexes
		found = append(found, c)
	}
	return found
}

// Badge is what stands behind a room's name: its unread messages, with an @ if
// they mention one; a dot if the room is muted.
func (r *Room) Badge() string {
	switch {
	case r.Mentions > 0:
		return "@" + shortCount(r.Mentions)
	case r.Unread > 0 && r.Level == NotifyNone:
		return "·"
	case r.Unread > 0:
		return shortCount(r.Unread)
	}
	return ""
}

func shortCount(n int) string {
	if n > 999 {
		return "999+"
	}
	return strconv.Itoa(n)
}

// Choose moves the palette's choice.
func (s State) Choose(by int) State {
	if n := len(s.Choices()); n > 0 {
		s.Palette.Chosen = ((s.Palette.Chosen+by)%n + n) % n
	}
	return s
}
