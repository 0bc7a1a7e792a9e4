package state

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// look draws the line of new messages behind what was read, and takes everything
// as read if the end of the conversation shows.
func (r *Room) look() {
	if r.Unread > 0 && r.Read < r.Last {
		r.Marker, r.New = r.Read, r.Unread
	}
	if r.AtEnd() {
		r.Unread, r.Mentions, r.Read = 0, 0, max(r.Read, r.Last)
	}
}

// FirstNew is the first sequence of the open room that is new, 0 if none is. What
// came below the screen has its line then, as it has once the end shows.
func (s State) FirstNew() (State, uint64) {
	r := s.Current()
	switch {
	case r == nil:
		return s, 0
	case r.Unread > 0:
		s = s.Update(s.Active, func(r *Room) { r.Marker, r.New = r.Read, r.Unread })
		return s, r.Read + 1
	case r.New > 0:
		return s, r.Marker + 1
	}
	return s, 0
}

// looking reports whether the end of a room's conversation is looked at.
func (s State) looking(r *Room) bool { return r.Name == s.Active && !s.Blurred && r.AtEnd() }

// Focus notes whether the terminal is looked at.
func (s State) Focus(focused bool) State {
	s.Blurred = !focused
	if r := s.Current(); focused && r != nil {
		s = s.Update(s.Active, (*Room).look)
	}
	return s
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

// Mentions reports whether text speaks of user: its name as a word, with or
// without an @; a capital letter at a sentence's start makes no other name.
func Mentions(text, user string) bool {
	if user == "" {
		return false
	}
	text = lowerASCII(text)
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

// lowerASCII changes only the letters that names are made of, so that no place
// in the text moves.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}
