package state

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"positivity-exchange/client"
)

// Status is the status line of the active room: how much of it is there, what is
// wrong, what waits. A narrow one leaves out what the header has.
func (s State) Status(r *Room, narrow bool) string {
	parts := []string{}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	from, to, hole := r.Hole()
	missing := to - from + 1
	switch {
	case hole && len(r.Lines) > 0 && narrow && (missing >= Large || !s.Asks(r)):
		add("%d not loaded", missing)
	case hole && len(r.Lines) > 0 && missing >= Large:
		add("up to #%d and from #%d · %d between are not loaded", from-1, min(to+1, r.Last), missing)
	case hole && len(r.Lines) > 0 && narrow:
		add("%d missing, asking", missing)
	case hole && len(r.Lines) > 0:
		what := "missing, asking for them"
		if !s.Asks(r) {
			what = "not loaded"
		}
		add("#1-%d%s · %d %s", from-1, behind(to, r.Last), missing, what)
	case r.Last > 0 && narrow:
		add("no gaps")
	case r.Last > 0:
		add("#1-%d, no gaps", r.Last)
	}
	since, elsewhere := int(s.Now.Sub(r.LinkSince).Seconds()), errors.Is(s.Router.Err, client.ErrAnotherCluster)
	switch {
	case elsewhere && !narrow: // the reason of whatever else is wrong
		add("another cluster answers at %s", s.Router.Addr)
	case s.Offline != "" && narrow:
		add("offline")
	case s.Offline != "":
		// Below, behind what waits: this line may be cut.
	case r.Link.State == client.LinkReconnecting && since >= 1: // a room's move is over before
		to := ""
		if r.Link.Shard != "" {
			to = " to " + r.Link.Shard
		}
		add("reconnecting%s (%d s)", to, since)
	case r.Joining:
		add("joining")
	}
	waiting, failed := 0, 0
	for _, l := range r.Waiting {
		if l.Mark == Failed {
			failed++
		} else if s.Now.Sub(l.Since) > markAfter {
			waiting++
		}
	}
	if waiting > 0 && narrow {
		add("%d waiting", waiting)
	} else if waiting > 0 {
		add("%d waiting to be sent", waiting)
	}
	if failed > 0 && narrow {
		add("%d failed", failed)
	} else if failed > 0 {
		add("%d failed: /retry or /discard", failed)
	}
	if !s.Router.Up && s.Router.Addr != "" { // behind what waits: rooms go on without one, and the line may be cut
		routers, _ := client.ParseRouters(s.Connect.Router.String()) // none, if they cannot be read
		switch {
		case narrow:
			add("no router")
		case elsewhere:
			// Above.
		case len(routers) > 1:
			add("no router answers at %s, trying the next", s.Router.Addr)
		default:
			add("no router answers at %s", s.Router.Addr)
		}
	}
	if s.Offline != "" && !narrow {
		add("offline: %s", s.Offline)
	}
	if !r.AtEnd() {
		add("%s below", count(r.Scroll+min(r.Under, 1), "line"))
	}
	unread, mentions, rooms := s.Totals()
	if mentions > 0 && !narrow {
		add("@%d", mentions)
	}
	if rooms > 0 && !narrow {
		add("%d unread in %s", unread, count(rooms, "room"))
	}
	return strings.Join(parts, " · ")
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
