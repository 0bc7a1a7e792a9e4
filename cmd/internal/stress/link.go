package stress

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// session is one user with its connections.
type session struct {
	user, ticket string
	began        time.Duration // to log in
	links        []*link
	seats        []*seat
	speakers     []*speaker
	gone         bool
}

// link is one connection of a session.
type link struct {
	engine *engine
	pipe   pipe
	addr   string
	owner  *session
	seats  []*seat // of the rooms joined here
	rest   []byte  // an unfinished frame
	out    []byte  // not yet written
	stuck  bool    // the pipe is full and tells when it is not
	closed bool
}

// pipe is what a link writes to. Write may take less than all without an
// error: the link is stuck then, until its owner finds that there is room again.
type pipe interface {
	io.WriteCloser
}

// flush writes what is queued. The caller holds the engine's lock.
func (l *link) flush() {
	if l.stuck || l.closed || len(l.out) == 0 {
		return
	}
	n, err := l.pipe.Write(l.out)
	if err != nil {
		l.end(fmt.Errorf("write to %s: %w", l.addr, err))
		return
	}
	l.stuck = n < len(l.out)
	l.out = append(l.out[:0], l.out[n:]...)
}

// end notes that the connection is gone.
func (l *link) end(err error) {
	if l.closed {
		return
	}
	l.closed = true
	l.pipe.Close() //nolint:errcheck // it is over either way
	if l.owner.gone {
		return
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s closed the connection of %s", l.addr, l.owner.user)
	}
	l.engine.fail(err)
}

// feed takes bytes that were read. The unfinished frame, if any, stands in
// front of them already. The caller holds the engine's lock.
func (l *link) feed(data []byte, now time.Duration) {
	e := l.engine
	for len(data) > 0 && !l.closed {
		n, err := e.dialect.Next(data, &e.frame)
		if err != nil {
			l.end(fmt.Errorf("%s: %w", l.addr, err))
			return
		}
		if n == 0 {
			break
		}
		data = data[n:]
		l.take(&e.frame, now)
	}
	l.rest = append(l.rest[:0], data...)
	l.flush()
	if (e.news || !e.sending) && len(e.waits) > 0 {
		e.check()
	}
	e.news = false
}

// take handles one frame.
func (l *link) take(f *Frame, now time.Duration) {
	e := l.engine
	switch f.Kind {
	case Message:
		if s := l.seat(f.Room); s != nil {
			s.accept(e, f, now)
		}
	case Record:
		if s := l.seat(f.Room); s != nil && s.joined {
			e.tally.Foreign++
			s.number(e, f.Seq, entry{foreign, uint32(f.Seq)})
		}
	case Joined:
		if s := l.answer(f.Room, func(s *seat) bool { return !s.joined }); s != nil {
			e.seated(s, f.Seq)
		}
	case Left:
		if s := l.answer(f.Room, func(s *seat) bool { return s.leaving }); s != nil {
			e.unseated(s)
		}
	case Ping:
		l.out = e.dialect.AppendPong(l.out, f)
	case Redirected, Refused:
		s := l.seat(f.Room)
		if s == nil || s.joined {
			e.fail(fmt.Errorf("%s refused a command in #%s: %s%s", l.addr, f.Room, f.Text, f.Addr))
			return
		}
		e.again(s, f.Addr, f.Retry, f.Text)
	case Ended:
		l.end(fmt.Errorf("%s: %s", l.addr, f.Text))
	}
}

// seat finds the room's seat on this connection.
func (l *link) seat(name []byte) *seat {
	for _, s := range l.seats {
		if string(name) == s.room.Name {
			return s
		}
	}
	l.engine.fail(fmt.Errorf("%s speaks of #%s, which %s has not joined there", l.addr, name, l.owner.user))
	return nil
}

// answer finds the seat that an answer is for: the room's, or the first that waits.
func (l *link) answer(name []byte, waits func(*seat) bool) *seat {
	if name != nil {
		return l.seat(name)
	}
	for _, s := range l.seats {
		if waits(s) {
			return s
		}
	}
	return nil // an answer to a ping of the end
}
