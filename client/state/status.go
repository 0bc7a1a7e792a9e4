package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"positivity-exchange/client"
)

// part is a piece of the status line.
type part struct {
	rank  int // parts of the lowest go first where there is no room
	text  string
	short string // that takes its place before it goes
}

// Ranks of the status line's parts: what a person has to do something about stays
// the longest.
const (
	rankWhole = iota
	rankHole
	rankUnread
	rankJoining
	rankBelow
	rankRouter
	rankMentions
	rankWaiting
	rankLink
	rankFailed
)

// Status is the status line of the active room, in at most width columns: how much
// of it is there, what is wrong, what waits. A narrow one leaves out what the header
// has.
func (s State) Status(r *Room, width int, narrow bool) string {
	var parts []part
	add := func(rank int, text, short string) { parts = append(parts, part{rank, text, short}) }
	s.addHoles(r, add)
	switch since := int(s.Now.Sub(r.LinkSince).Seconds()); {
	case s.Foreign != "": // the reason of whatever else is wrong
		add(rankLink, "another cluster answers at "+s.Foreign, "another cluster")
	case s.Offline != "":
		add(rankLink, "offline: "+s.Offline, "offline")
	case r.Link.State == client.LinkReconnecting && since >= 1: // a room's move is over before
		text, short := r.linkText(since)
		add(rankLink, text, short)
	case r.Joining:
		add(rankJoining, "joining", "")
	}
	waiting, failed := 0, 0
	for _, l := range r.Waiting {
		if l.Mark == Failed {
			failed++
		} else if s.Now.Sub(l.Since) > markAfter {
			waiting++
		}
	}
	if waiting > 0 {
		text := fmt.Sprintf("%d waiting to be sent", waiting)
		if r.Held != "" {
			text = fmt.Sprintf("%d waiting: %s", waiting, r.Held)
		}
		add(rankWaiting, text, fmt.Sprintf("%d waiting", waiting))
	}
	if failed > 0 {
		add(rankFailed, fmt.Sprintf("%d failed: /retry or /discard", failed), fmt.Sprintf("%d failed", failed))
	}
	if !s.Router.Up && s.Router.Addr != "" && s.Foreign == "" {
		next := ""
		if routers, err := client.ParseRouters(s.Connect.Router.String()); err == nil && len(routers) > 1 {
			next = ", trying the next"
		}
		add(rankRouter, "no router answers at "+s.Router.Addr+next, "no router")
	}
	if n := r.Below(); n > 0 {
		add(rankBelow, count(n, "message")+" below", fmt.Sprintf("%d below", n))
	} else if !r.AtEnd() {
		add(rankBelow, "more below", "")
	}
	if unread, mentions, rooms := s.Totals(); !narrow {
		if mentions > 0 {
			add(rankMentions, fmt.Sprintf("@%d", mentions), "")
		}
		if rooms > 0 {
			add(rankUnread, fmt.Sprintf("%d unread in %s", unread, count(rooms, "room")), "")
		}
	}
	return fit(parts, width, narrow)
}

// addHoles says how much of a room is there.
func (s State) addHoles(r *Room, add func(rank int, text, short string)) {
	from, to, hole := r.Hole()
	missing := to - from + 1
	switch {
	case hole && len(r.Lines) > 0 && missing >= Large:
		add(rankHole, fmt.Sprintf("up to #%d and from #%d · %d between are not loaded", from-1, min(to+1, r.Last), missing), fmt.Sprintf("%d not loaded", missing))
	case hole && len(r.Lines) > 0:
		what, short := "missing, asking for them", "missing, asking"
		if !s.Asks(r) {
			what, short = "not loaded", "not loaded"
		}
		add(rankHole, fmt.Sprintf("#1-%d%s · %d %s", from-1, behind(to, r.Last), missing, what), fmt.Sprintf("%d %s", missing, short))
	case r.Last > 0:
		add(rankWhole, fmt.Sprintf("#1-%d, no gaps", r.Last), "no gaps")
	}
}

// cheap is how much is lost with what a part can do for room next: get short, or go.
// Of trouble all is short before any goes.
func (p part) cheap() int {
	if p.rank > rankBelow && (p.short == "" || p.text == p.short) {
		return p.rank + rankFailed
	}
	return p.rank
}

// fit joins parts within width columns. One that does not fit is not cut in the
// middle, where its number stands: the least important get short, then go.
func fit(parts []part, width int, short bool) string {
	for i := range parts {
		if short {
			parts[i].text = cmp.Or(parts[i].short, parts[i].text)
		}
	}
	joined := func() string {
		var texts []string
		for _, p := range parts {
			texts = append(texts, p.text)
		}
		return strings.Join(texts, " · ")
	}
	for utf8.RuneCountInString(joined()) > width {
		least := 0
		for i, p := range parts {
			if p.cheap() < parts[least].cheap() {
				least = i
			}
		}
		switch p := &parts[least]; {
		case p.short != "" && p.text != p.short:
			p.text = p.short
		case len(parts) == 1:
			return p.text // the line's end cuts it
		default:
			parts = slices.Delete(parts, least, least+1)
		}
	}
	return joined()
}

// Below is how many messages stand below the screen, loaded or not.
func (r *Room) Below() int {
	if r.AtEnd() || len(r.Lines) == 0 {
		return 0
	}
	n := int(r.Last-min(r.Last, r.Lines[len(r.Lines)-1-min(r.Scroll, len(r.Lines)-1)].Place())) + len(r.Waiting)
	if r.Under > 0 && r.Scroll > 0 {
		n++ // of which a part is hidden
	}
	return n
}

// Asks reports whether what is missing in a room is being asked for: without a
// connection nobody can be.
func (s State) Asks(r *Room) bool { return s.Offline == "" && r.Joined }

// behind is what stands behind a hole, as the status line goes on: ", 12-19",
// ", 12", or nothing.
func behind(hole, last uint64) string {
	switch {
	case hole >= last:
		return ""
	case hole+1 == last:
		return fmt.Sprintf(", %d", last)
	}
	return fmt.Sprintf(", %d-%d", hole+1, last)
}

// markAfter is how long a message is on its way before its mark is shown, so
// that nothing flickers.
const markAfter = 300 * time.Millisecond

// MarkShown is the mark to draw at an own line, 0 for none yet.
func (s State) MarkShown(l Line) rune {
	if !l.Mine || l.Mark == 0 || l.Mark != Failed && s.Now.Sub(l.Since) < markAfter {
		return 0
	}
	return l.Mark
}

// Title is the terminal's title.
func (s State) Title() string {
	title := "px"
	if s.Active != "" {
		title = "#" + s.Active + " · px"
	}
	unread, mentions, _ := s.Totals()
	switch {
	case mentions > 0:
		return fmt.Sprintf("(@%d) %s", mentions, title)
	case unread > 0:
		return fmt.Sprintf("(%d) %s", unread, title)
	}
	return title
}

// Online is how long the user has been logged in, in words.
func (s State) Online() string {
	return s.Now.Sub(s.Since).Truncate(time.Second).String()
}
