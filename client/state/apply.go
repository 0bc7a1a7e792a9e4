package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// Apply takes one event of the session into the picture.
func (s State) Apply(e client.Event) State {
	switch e := e.(type) {
	case client.Joined:
		return s.Take(e.Room).Update(e.Room, func(r *Room) {
			if e.Head.Seq < r.Last {
				r.cut(e.Head.Seq, s.Now) // the disk remembers what the store has lost
			}
			r.Joined, r.Joining, r.Parted, r.Description, r.Count, r.Last = true, false, false, e.Description, e.Count, e.Head.Seq
			r.Users = set(e.Users)
			if !r.Visited && r.Read == 0 {
				r.Read = r.Last // at a first visit all that was before counts as read
			}
			r.Visited = true
			r.Unread = int(r.Last - min(r.Read, r.Last)) // missed since the last visit
			if r.Name == s.Active {
				r.look()
			}
		})
	case client.Left:
		if r := s.Room(e.Room); r != nil && r.Joining { // a join waits behind the leave
			return s.Update(e.Room, (*Room).Out)
		}
		// Or what waits would lead into the room again, at the next login if not before.
		why := "the room was left before it was sent"
		if e.Err != nil {
			why = e.Err.Error()
		}
		return s.FailUnposted(e.Room, why).Update(e.Room, func(r *Room) {
			r.Out()
			r.Parted, r.Place, r.Unread, r.Mentions = e.Err == nil, 0, 0, 0
		})
	case client.Message:
		return s.message(e)
	case client.Presence:
		return s.presence(e)
	case client.People:
		return s.Update(e.Room, func(r *Room) { r.Users, r.Count = set(e.Users), e.Count })
	case client.Cut:
		return s.Update(e.Room, func(r *Room) { r.cut(e.At, s.Now) })
	case client.SendFailed:
		var refused *client.RefusedError
		unsure := errors.As(e.Err, &refused) && refused.Code == comms.CodeUnknownFate
		return s.Update(e.Room, func(r *Room) {
			r.Waiting = slices.Clone(r.Waiting)
			for i := range r.Waiting {
				if r.Waiting[i].ID == e.ID {
					r.Waiting[i].Mark, r.Waiting[i].Reason, r.Waiting[i].Unsure = Failed, e.Err.Error(), unsure
				}
			}
		})
	case client.Held:
		return s.Update(e.Room, func(r *Room) {
			if r.Held = ""; e.Err != nil {
				r.Held = e.Err.Error()
			}
		})
	case client.RoomLink:
		return s.Update(e.Room, func(r *Room) { r.linked(e, s) })
	case client.RouterLink:
		s.Router = e
		switch {
		case e.Up:
			s.Foreign = ""
		case errors.Is(e.Err, client.ErrAnotherCluster):
			s.Foreign = e.Addr
		}
	}
	return s
}

// Out forgets what is known only by who is in the room, or on the way there: nobody
// tells of it any more.
func (r *Room) Out() {
	r.Joined, r.Users, r.Count = false, nil, 0
	r.Link, r.LinkSince, r.Held = client.RoomLink{}, time.Time{}, ""
}

// cut takes away what the store has lost, and says so where it happened.
func (r *Room) cut(at uint64, now time.Time) {
	kept := slices.DeleteFunc(slices.Clone(r.Lines), func(l Line) bool { return l.Place() > at })
	text := fmt.Sprintf("%s missing: the store lost its end behind #%d", count(int(r.Last-min(at, r.Last)), "message"), at)
	r.Lines = append(kept, Line{Kind: LineCut, After: at, Text: text, Time: now})
	r.Last, r.Read = at, min(r.Read, at)
	r.ToEnd()
}

func (s State) message(e client.Message) State {
	return s.Update(e.Room, func(r *Room) {
		if e.Mine {
			r.Waiting = slices.DeleteFunc(slices.Clone(r.Waiting), func(l Line) bool { return l.ID == e.ID })
		}
		if r.index(e.Seq) >= 0 {
			return // a page of history brought it already
		}
		keep := maxOther
		if r.Name == s.Active {
			keep = maxLines
		}
		r.add(line(e.Record, e.User == s.User, s.Now), keep)
		if e.Kind == comms.KindTopic {
			r.Description = e.Content
		}
		looking, mine := s.looking(r), e.User == s.User
		switch {
		case looking, mine && r.Unread == 0: // else what is unread stands before it
			r.Read = max(r.Read, e.Seq)
			if r.New > 0 && !mine {
				r.New++ // it stands below that line too
			}
		case !mine:
			r.Unread++
			if e.Kind == comms.KindMessage && Mentions(e.Content, s.User) {
				r.Mentions++
			}
		}
	})
}

// add appends a line and keeps at most keep lines: of a room that is scrolled
// up ten times as many, for the sake of the place.
func (r *Room) add(l Line, keep int) {
	at := len(r.Lines)
	for at > 0 && r.Lines[at-1].Place() > l.Place() {
		at-- // a server that sends out of order
	}
	if at == len(r.Lines) {
		r.Lines = append(r.Lines, l)
	} else {
		r.Lines = slices.Insert(slices.Clone(r.Lines), at, l)
	}
	r.Last = max(r.Last, l.Seq)
	if !r.AtEnd() {
		r.Scroll = min(r.Scroll+1, len(r.Lines)-1) // among what waits no line was shown
		keep *= 10
	}
	if len(r.Lines) > keep+keep/10 {
		r.Lines = slices.Clone(r.Lines[len(r.Lines)-keep:]) // what is cut off is free
		r.Scroll = min(r.Scroll, keep-1)
	}
}

func line(rec comms.Record, mine bool, now time.Time) Line {
	l := Line{Seq: rec.Seq, User: rec.User, ID: rec.ID, Text: rec.Content, Time: time.UnixMilli(rec.Time), Mine: mine, Mark: Stored, Since: now}
	if rec.Kind == comms.KindMessage {
		return l
	}
	raw := rec // only of these a copy outlives the call
	l.Kind, l.Text, l.Raw = LineNotice, "(something this version does not know)", &raw
	if rec.Kind == comms.KindTopic {
		l.Text = rec.User + " set the topic: " + rec.Content
	}
	return l
}

// Queue notes an own message, or with topic a new description, that no session
// has taken yet.
func (s State) Queue(room, id, text string, topic bool) State {
	return s.Update(room, func(r *Room) {
		r.Waiting = append(slices.Clone(r.Waiting), Line{User: s.User, ID: id, Text: text, Time: s.Now, Mine: true, Topic: topic, Mark: Queued, Since: s.Now, Seen: r.Last})
	})
}

// Requeue notes an own message that has failed and may be stored: it is to be given to
// a session again as what it was, so that it is not stored twice.
func (s State) Requeue(room string, l Line) State {
	l.Mark, l.Since, l.Posted, l.Reason = Queued, s.Now, false, ""
	return s.Update(room, func(r *Room) { r.Waiting = append(slices.Clone(r.Waiting), l) })
}

// Posted notes an own message, or a new description, that is on its way.
func (s State) Posted(room, id, text string, topic bool) State {
	s = s.Queue(room, id, text, topic)
	return s.Submitted(room, id, s.Room(room).Last)
}

// Unposted lists what is to be given to a session, oldest first.
func (r *Room) Unposted() (lines []Line) {
	for _, l := range r.Waiting {
		if l.Mark == Queued && !l.Posted {
			lines = append(lines, l)
		}
	}
	return lines
}

// Submitted notes that a session has taken a message, when its room's newest
// record was seen.
func (s State) Submitted(room, id string, seen uint64) State {
	return s.Update(room, func(r *Room) {
		r.Waiting = slices.Clone(r.Waiting)
		for i := range r.Waiting {
			if r.Waiting[i].ID == id {
				r.Waiting[i].Posted, r.Waiting[i].Seen = true, seen
			}
		}
	})
}

// FailUnposted marks what no session would take.
func (s State) FailUnposted(room, reason string) State {
	return s.Update(room, func(r *Room) {
		r.Waiting = slices.Clone(r.Waiting)
		for i := range r.Waiting {
			if l := &r.Waiting[i]; l.Mark == Queued && !l.Posted {
				l.Mark, l.Reason = Failed, reason
			}
		}
	})
}

// Waits reports whether a message is on its way in any room.
func (s State) Waits() bool {
	return slices.ContainsFunc(s.Rooms, func(r *Room) bool {
		return slices.ContainsFunc(r.Waiting, func(l Line) bool { return l.Mark != Failed })
	})
}

// Discard takes failed messages away and returns them, oldest first.
func (s State) Discard(room string) (State, []Line) {
	var failed []Line
	s = s.Update(room, func(r *Room) {
		var kept []Line
		for _, l := range r.Waiting {
			if l.Mark == Failed {
				failed = append(failed, l)
			} else {
				kept = append(kept, l)
			}
		}
		r.Waiting = kept
	})
	return s, failed
}

func (s State) presence(e client.Presence) State {
	return s.Update(e.Room, func(r *Room) {
		users := maps.Clone(r.Users)
		if users == nil {
			users = map[string]bool{}
		}
		var joined, left []string
		for _, u := range e.Joined {
			if !users[u] && u != s.User {
				joined = append(joined, u)
			}
			users[u] = true
		}
		for _, u := range e.Left {
			if users[u] {
				left = append(left, u)
			}
			delete(users, u)
		}
		r.Users, r.Count = users, e.Count
		r.fold(joined, left, s.Now)
		if s.looking(r) {
			r.look() // it may have been all that was below
		}
	})
}

// fold adds joins and leaves to the line that has those before, if nothing was
// said since; who came and went in between is in neither list.
func (r *Room) fold(joined, left []string, now time.Time) {
	if len(joined)+len(left) == 0 {
		return
	}
	if n := len(r.Lines); n > 0 && r.Lines[n-1].Kind == LinePresence {
		l := r.Lines[n-1]
		in, out := slices.Clone(l.Joined), slices.Clone(l.Left)
		for _, u := range joined {
			if i := slices.Index(out, u); i >= 0 {
				out = slices.Delete(out, i, i+1)
			} else {
				in = append(in, u)
			}
		}
		for _, u := range left {
			if i := slices.Index(in, u); i >= 0 {
				in = slices.Delete(in, i, i+1)
			} else {
				out = append(out, u)
			}
		}
		r.Lines = slices.Clone(r.Lines)
		if len(in)+len(out) == 0 {
			r.Lines = r.Lines[:n-1]
			if r.Scroll--; r.Scroll < 0 { // it was shown
				r.ToEnd()
			}
			return
		}
		l.Joined, l.Left = in, out
		r.Lines[n-1] = l
		return
	}
	r.add(Line{Kind: LinePresence, After: r.Last, Time: now, Joined: joined, Left: left}, maxLines)
}

// PresenceText says who came and went: names if few, else numbers.
func (l Line) PresenceText() string {
	var parts []string
	for _, p := range []struct {
		names []string
		what  string
	}{{l.Joined, "joined"}, {l.Left, "left"}} {
		if n := len(p.names); n > 3 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.what))
		} else if n > 0 {
			parts = append(parts, strings.Join(p.names, ", ")+" "+p.what)
		}
	}
	return strings.Join(parts, " · ")
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// count writes a number of things: "1 message", "2 messages".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprint(n, " ", thing, "s")
}
