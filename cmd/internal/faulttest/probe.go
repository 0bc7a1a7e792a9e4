package faulttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// probe is a connection of its own in a room, for single questions: what is a
// message answered that is sent just now? It follows nothing and repeats nothing.
type probe struct {
	load       *Load
	room, user string
	ids        *comms.IDSource
	conn       *comms.Conn
}

// openProbe joins a room wherever it is.
func (l *Load) openProbe(ctx context.Context, room string) (*probe, error) {
	l.mu.Lock()
	l.probes++
	p := &probe{load: l, room: room, user: fmt.Sprint("probe-", l.probes), ids: comms.NewIDSource()}
	l.mu.Unlock()
	r := &reader{load: l, room: room, user: p.user}
	var err error
	p.conn, _, err = r.enter(ctx)
	return p, err
}

func (p *probe) close() { p.conn.Close() } //nolint:errcheck // nothing is lost

// send sends one message and returns what it is answered: "" if it was
// acknowledged, else the code of an error or the kind of event that sends the
// probe away. What the store refused must not be in the room; anything else that
// was not acknowledged may be.
func (p *probe) send(ctx context.Context) (code string, err error) {
	stop := context.AfterFunc(ctx, func() { p.conn.Close() }) //nolint:errcheck // ends the reads below
	defer stop()
	content := "probe at " + time.Now().Format(time.RFC3339Nano)
	id := p.ids.Next()
	event := func(kind checker.Kind, e checker.Event) {
		e.Kind, e.Room, e.Who, e.ID = kind, p.room, p.user, id
		p.load.log.Add(e)
	}
	event(checker.Send, checker.Event{Hash: checker.Hash(content)})
	defer func() {
		switch {
		case code == comms.CodeStorage: // certainly not in the log
			event(checker.Error, checker.Event{Code: code})
		case code != "" || err != nil:
			event(checker.Unknown, checker.Event{})
		}
	}()
	if err := p.conn.WriteCommand(comms.SendMessage{Room: p.room, Content: content, ID: id}); err != nil {
		return "", err
	}
	for {
		e, err := p.conn.ReadEvent()
		if err != nil {
			return "", err
		}
		switch e := e.(type) {
		case comms.UserMessage:
			if e.ID == id && e.User == p.user {
				event(checker.Ack, checker.Event{Seq: e.Seq, Epoch: e.Epoch, Hash: checker.Hash(e.Content)})
				return "", nil
			}
		case comms.Error:
			return e.Code, nil
		case comms.Redirect:
			return "redirect", nil
		case comms.RoomMoved:
			return "room_moved", nil
		case comms.Goodbye:
			return "goodbye", nil
		}
	}
}

// sendOnce opens a probe wherever the room is, sends, and closes it.
func (l *Load) sendOnce(ctx context.Context, room string, within time.Duration) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	p, err := l.openProbe(ctx, room)
	if refused := (*comms.Error)(nil); errors.As(err, &refused) {
		return refused.Code, nil
	} else if err != nil {
		return "", err
	}
	defer p.close()
	return p.send(ctx)
}
