package state

import (
	"fmt"
	"strings"
	"time"

	"positivity-exchange/client"
)

// Status is the status line of the active room.
func (s State) Status(r *Room) string {
	var parts []string
	if from, to, hole := r.Hole(); hole && len(r.Lines) > 0 {
		if missing := to - from + 1; missing < Large {
			parts = append(parts, fmt.Sprintf("#1-%d, %d · %d missing, asking for them", from-1, r.Last, missing))
		} else {
			parts = append(parts, fmt.Sprintf("up to #%d and from #%d · %d between are not loaded", from-1, min(to+1, r.Last), missing))
		}
	} else if r.Last > 0 {
		parts = append(parts, fmt.Sprintf("#1-%d, no gaps", r.Last))
	}
	waiting, failed := 0, 0
	for _, l := range r.Waiting {
		if l.Mark == Failed {
			failed++
		} else if s.Now.Sub(l.Since) > markAfter {
			waiting++
		}
	}
	switch {
	case s.Offline != "":
		parts = append(parts, "offline: " + s.Offline)
	case r.Link.State == client.LinkReconnecting:
		since := int(s.Now.Sub(r.LinkSince).Seconds())
		to := ""
		if r.Link.Shard != "" {
			to = " to " + r.Link.Shard
		}
		if since >= 1 { // a room's move is over before
			parts = append(parts, fmt.Sprintf("reconnecting%s (%d s)", to, since))
		}
	case r.Joining:
		parts = append(parts, "joining")
	}
	if !s.Router.Up && s.Router.Addr != "" {
		parts = append(parts, fmt.Sprintf("no router answers at %s, trying the next", s.Router.Addr))
	}
	if waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting to be sent", waiting))
	}
	if failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed: /retry or /discard", failed))
	}
	if r.Scroll > 0 {
		parts = append(parts, fmt.Sprintf("%s below", count(r.Scroll, "line")))
	}
	if unread, _, rooms := s.Totals(); rooms > 0 {
		parts = append(parts, fmt.Sprintf("%d unread in %s · Alt-A next", unread, count(rooms, "room")))
	}
	return strings.Join(parts, " · ")
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
