package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/client/state"
	"positivity-exchange/comms"
)

// answerWithin is how long a person waits for the answer to a command.
const answerWithin = 5 * time.Second

// maxListed is how many rooms are listed at once; a prefix finds the others.
const maxListed = 2000

// reaches reports whether a question about a room finds somebody to answer it,
// with room empty one that only a router answers. Asked all the same, it would
// be answered once there is a connection again, when nobody thinks of it any more.
func (a *app) reaches(room string) bool {
	r := a.st.Room(room)
	return a.session != nil && (a.st.Router.Up || r != nil && r.Joined && r.Link.State != client.LinkReconnecting)
}

// lacks reports whether a command needs a connection that is not there.
func (a *app) lacks(c state.Parsed, open string) bool {
	switch c.Command {
	case "part":
		return a.session == nil
	case "create":
		return !a.reaches("")
	case "where":
		return !a.reaches(cmp.Or(c.Room, open))
	}
	return false
}

// ask is effect for a question that a person waits for, and not for ever. What
// its answer moves on the screen stays where it is if a.pressed is not what it was.
func (a *app) ask(f func(ctx context.Context) func()) {
	a.effect(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		return f(ctx)
	})
}

func (a *app) sayWhy(err error) { a.say("%s", why(err)) }

// why says why a question has no answer.
func why(err error) string {
	var refused *client.RefusedError
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case late && errors.As(err, &refused): // all the while
		return "not done yet: " + refused.Message
	case late:
		return "no answer from the cluster"
	}
	return err.Error()
}

func (a *app) create(name, description string) {
	s, asked := a.session, a.pressed
	a.ask(func(ctx context.Context) func() {
		err := s.Create(ctx, name, description)
		return func() {
			if err != nil {
				a.sayWhy(err)
				return
			}
			a.st = a.st.WithRooms([]comms.Room{{Name: name, Description: description}})
			if a.pressed != asked {
				a.say("there is #%s now; /join %s opens it", name, name)
				return
			}
			a.open(name)
		}
	})
}

// where tells in the open room who serves another, or that one.
func (a *app) where(name, open string) {
	s := a.session
	a.ask(func(ctx context.Context) func() {
		at, err := s.Where(ctx, name)
		return func() {
			if err != nil {
				a.sayWhy(err)
				return
			}
			a.tell(open, fmt.Sprintf("#%s is served by %s at %s, epoch %d", name, at.Shard, at.Addr, at.Epoch))
		}
	})
}

// list shows rooms in the palette: those known here at once, the others as they
// come.
func (a *app) list(prefix string) {
	a.openPalette()
	a.st.Palette.Query = state.NewInput("#" + prefix)
	if !a.reaches("") {
		a.say("there is no connection: these are the rooms known here")
		return
	}
	a.listRooms(prefix)
}

// listRooms takes the rooms of a prefix into the list.
func (a *app) listRooms(prefix string) {
	s := a.session
	a.ask(func(ctx context.Context) func() {
		rooms, more, err := roomsOf(ctx, s, prefix)
		return func() {
			a.st = a.st.WithRooms(rooms)
			switch {
			case err != nil:
				a.sayWhy(err)
			case more:
				a.say("there are more than %d rooms: /list PREFIX finds those of a prefix", len(rooms))
			}
		}
	})
}

// listAgain is how old a list is that is asked for anew.
const listAgain = 10 * time.Second

// relist looks for rooms that others have made: no server tells of them. It says
// nothing, since nobody asked.
func (a *app) relist() {
	s := a.session
	if now := a.opts.Now(); s == nil || a.listing || now.Sub(a.listedAt) < listAgain {
		return
	}
	a.listing = true
	a.effect(func(ctx context.Context) func() {
		rooms, _, err := roomsOf(ctx, s, "")
		return func() {
			a.listing, a.listedAt = false, a.opts.Now()
			if a.st = a.st.WithRooms(rooms); err != nil {
				a.opts.Logger.Warn("list the rooms", "err", err)
			}
		}
	})
}

// roomsOf lists the rooms whose names begin with prefix, and whether there are more.
func roomsOf(ctx context.Context, s *client.Session, prefix string) (rooms []comms.Room, more bool, err error) {
	q := comms.ListRooms{Prefix: prefix}
	for more = true; more && len(rooms) < maxListed; {
		list, err := s.Rooms(ctx, q)
		if err != nil {
			return rooms, false, err
		}
		rooms = append(rooms, list.Rooms...)
		q.After, more = list.Next, list.Next != ""
	}
	return rooms, more, nil
}
