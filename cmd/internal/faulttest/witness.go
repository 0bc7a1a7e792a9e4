package faulttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// witness is a session at one shard that stays whatever happens: it has no
// router to be told by, and never loses patience. What it is given goes into
// the history.
type witness struct {
	load *Load
	room string
	user string
	conn *comms.Conn
	sent chan struct{} // closed when the shard sent it elsewhere, or hung up
	why  error         // set before
}

// attend puts a witness into a room at the shard that serves it.
func attend(ctx context.Context, l *Load, room, user string) (*witness, error) {
	r := &reader{load: l, room: room, user: user}
	addr := ""
	for range 5 {
		located, ticket, err := r.bareLocate(ctx)
		if err != nil {
			return nil, err
		}
		if addr == "" {
			addr = located
		}
		conn, welcome, err := bareDial(ctx, addr, comms.Hello{Version: comms.Version, User: user, Ticket: ticket})
		if err != nil {
			return nil, err
		}
		conn.SetIdle(0)
		err = conn.WriteCommand(comms.JoinRoom{Room: room})
		for err == nil {
			var e comms.Event
			if e, err = conn.ReadEvent(); err != nil {
				break
			}
			switch e := e.(type) {
			case comms.UserJoinedRoom:
				l.served(room, user, e.Head, e.Epoch, welcome.Name, addr)
				w := &witness{load: l, room: room, user: user, conn: conn, sent: make(chan struct{})}
				go w.watch()
				return w, nil
			case comms.Redirect:
				addr, err = e.Addr, errMoved{addr: e.Addr}
			case comms.Error:
				err = &e
			}
		}
		conn.Close() //nolint:errcheck // not served there
		var moved errMoved
		if !errors.As(err, &moved) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("#%s is not found", room)
}

func (w *witness) watch() {
	defer close(w.sent)
	for {
		e, err := w.conn.ReadEvent()
		if err != nil {
			w.why = err
			return
		}
		switch e := e.(type) {
		case comms.UserMessage:
			w.load.log.Add(checker.Event{Kind: checker.Deliver, Room: w.room, Who: w.user, Seq: e.Seq, Epoch: e.Epoch, Author: e.User, ID: e.ID, Hash: checker.Hash(e.Content)})
		case comms.RoomMoved:
			w.load.log.Add(checker.Event{Kind: checker.Redirect, Room: w.room, Who: w.user, Owner: e.Addr})
			w.why = errMoved{addr: e.Addr}
			return
		case comms.PingEvent:
			w.conn.WriteCommand(comms.Pong(e)) //nolint:errcheck // the read above reports it
		}
	}
}

// leave ends the witness.
func (w *witness) leave() {
	w.conn.Close() //nolint:errcheck // it is over
	<-w.sent
}

// sentWithin tells whether the witness was sent elsewhere by then.
func (w *witness) sentWithin(d time.Duration) bool {
	select {
	case <-w.sent:
		return true
	case <-time.After(d):
		return false
	}
}
