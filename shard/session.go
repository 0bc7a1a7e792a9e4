package shard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/rawconn"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/membership"
	"positivity-exchange/shard/fanout"
	"positivity-exchange/shard/ownership"
	"positivity-exchange/shard/parking"
)

const (
	maxJoined    = 1000
	goodbyeGrace = 2 * time.Second
	maxSilence   = 3           // times PingAfter without a word
	parkAfter    = time.Second // of silence
)

// session is one live connection.
type session struct {
	server *Server
	out    *fanout.Outlet
	reader *comms.Reader
	ctx    context.Context    // the server's; a member's own, which ends with the session
	cancel context.CancelFunc // of a member's; nil
	role   string             // this and user change under the Server's mu, at hello
	user   string
	heard  atomic.Int64

	unsettled unsettled // of its messages

	mu     sync.Mutex // below a part's mu
	joined map[string]*part

	// The reader's alone.
	duties   []*part       // whose queue it is to commit
	silences int           // asked for, and not a word since
	parks    bool          // place can be used
	place    parking.Place // where a silent session has no reader
	quit     bool          // said so
	hurried  bool          // its last words before a leave were not all answered in time
}

func (s *session) heardAt() time.Time { return time.Unix(0, s.heard.Load()) }

// leftRoom follows the end of the participation in a room that p served: by now
// the session may have joined it in the part that came after.
func (s *session) leftRoom(name string, p *part) {
	s.mu.Lock()
	if s.joined[name] == p {
		delete(s.joined, name)
	}
	s.mu.Unlock()
}

// send is for other goroutines than the session's reader.
func (s *session) send(e comms.Event) { s.out.Send(comms.AppendEvent(nil, e)) }

// reply is for the reader, which flushes before it waits for more.
func (s *session) reply(e comms.Event) {
	b := encode(e)
	s.out.Queue(*b)
	encoded.Put(b)
}

// encoded lends what events to one session are encoded in: a reply to a join
// in a large room has many names.
var encoded = sync.Pool{New: func() any { return new([]byte) }}

// encode encodes events one behind the other; give the result back to encoded.
func encode(events ...comms.Event) *[]byte {
	b := encoded.Get().(*[]byte)
	*b = (*b)[:0]
	for _, e := range events {
		*b = comms.AppendEvent(*b, e)
	}
	return b
}

// refuse answers a command that failed: a redirect or an error.
func (s *session) refuse(err error, room, id string) {
	var to *ownership.RedirectError
	if errors.As(err, &to) {
		s.send(redirectTo(to.Where, room, membership.Partition(room), id))
		return
	}
	e := *comms.AsError(err)
	if e.Room == "" {
		e.Room = room
	}
	if e.ID == "" {
		e.ID = id
	}
	s.send(e)
}

// serve begins a session, which counts in wg until it ends, with a reader or
// parked. The handshake, if there is one, is here, where nobody waits for it but
// those who hear nothing yet.
func (s *Server) serve(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetNoDelay(true) //nolint:errcheck // a hint
	}
	nc, err := tlsconn.Accept(s.ctx, nc, s.opts.TLS, "shard")
	if err != nil {
		s.logger.Debug("a connection was not taken", "err", err)
		s.wg.Done()
		return
	}
	sess := &session{server: s, ctx: s.ctx, joined: map[string]*part{}, reader: comms.NewReader(nc, comms.MaxHelloFrame, comms.LobbyTimeout)}
	if conn := descriptor(nc); conn != nil {
		sess.place, sess.parks = parking.NewPlace(sess, conn), true
	}
	// The Pool closes nc, which ends the reader if there is one.
	sess.out = s.pool.NewOutlet(nc, func(why error) {
		s.lot.Wake(&sess.place)
		s.ended(sess, nc.RemoteAddr(), why)
	})
	s.mu.Lock()
	s.sessions[sess] = struct{}{}
	s.mu.Unlock()
	sess.attend(false)
}

// ended logs why a connection was ended, if not by its session or by the shard's
// own end: nobody else learns that.
func (s *Server) ended(sess *session, addr net.Addr, why error) {
	if why == nil || errors.Is(why, context.Canceled) {
		return
	}
	s.mu.Lock()
	user := sess.user
	s.mu.Unlock()
	if errors.Is(why, fanout.ErrCatchUp) {
		s.behind.Note(why, "user", user, "addr", addr)
		return
	}
	s.logger.Debug("a connection was ended", "user", user, "addr", addr, "err", why)
}

// descriptor is what tells that there is something to read; nil if nothing does.
func descriptor(nc net.Conn) syscall.RawConn {
	if sealer, ok := nc.(fanout.Sealer); ok {
		nc = sealer.Beneath()
	}
	return rawconn.Of(nc)
}

// attend is the session's reader: it handles commands until the connection ends
// or falls silent. due tells that it was silent for as long as it may be.
func (s *session) attend(due bool) {
	if reason := s.read(due); reason != "" {
		s.end(reason)
		s.server.wg.Done()
	}
}

// Wake implements parking.Owner.
func (s *session) Wake(due bool) { go s.attend(due) }

// end takes the session out of everything it is in.
func (s *session) end(reason string) {
	s.leaveAll(!s.quit)
	s.server.mu.Lock()
	delete(s.server.sessions, s)
	s.server.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	s.out.Close(comms.AppendEvent(nil, comms.Goodbye{Reason: reason}), goodbyeGrace)
}

// read handles commands until the connection ends, and returns the reason, or
// until the session is parked, and returns none: another reader goes on with it
// then. A session that cannot be parked waits in here while it is idle. The stack
// that this takes is kept for each of them, so read itself holds little and leaves
// the work to other functions.
func (s *session) read(due bool) (reason string) {
	if due {
		reason = s.readFailed(os.ErrDeadlineExceeded)
	}
	for reason == "" {
		if reason = s.beforeRead(); reason != "" {
			break
		}
		line, err := s.reader.Next()
		switch {
		case err == nil:
			reason = s.line(line)
		case s.parks && s.role != "" && errors.Is(err, os.ErrDeadlineExceeded):
			if s.server.lot.Park(&s.place, time.Now().Add(s.server.ping-s.server.patience)) {
				return ""
			}
			s.parks = false
			s.reader.SetIdle(s.server.ping)
		default:
			reason = s.readFailed(err)
		}
	}
	if s.quit {
		s.lastWords()
	} else {
		s.settle()
	}
	return reason
}

// beforeRead does what must not wait for the peer's next command.
func (s *session) beforeRead() (reason string) {
	if !s.reader.Ready() {
		s.commitQueued()
		s.out.Flush()
	}
	if s.out.Full() {
		s.commitQueued()
		if s.out.Wait(s.ctx) != nil {
			return comms.CodeShutdown
		}
	}
	if s.unsettled.full() {
		s.commitQueued()
		s.out.Flush()
		if s.unsettled.wait(s.ctx, maxUnsettled) != nil {
			return comms.CodeShutdown
		}
	}
	return ""
}

// readFailed answers a silence with a ping, anything else with the end.
func (s *session) readFailed(err error) (reason string) {
	var e *comms.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && s.role != "" && s.silences < maxSilence:
		s.silences++
		s.reply(comms.PingEvent{N: uint64(s.silences)})
		return ""
	case errors.As(err, &e):
		s.reply(*e) // the stream cannot be trusted any more
		return e.Code
	case errors.Is(err, os.ErrDeadlineExceeded):
		return comms.CodeIdle
	}
	return comms.CodeQuit
}

// line does one command; a reason ends the session.
func (s *session) line(line []byte) (reason string) {
	s.silences = 0
	s.heard.Store(time.Now().UnixNano())
	if s.role != "" {
		if v, ok := comms.ViewSend(line); ok {
			s.sayView(v)
			return ""
		}
	}
	c, err := comms.DecodeCommand(line)
	if err != nil {
		s.reply(*comms.AsError(err))
		return ""
	}
	if s.role == "" {
		if !s.hello(c) {
			return comms.CodeHelloFirst
		}
		s.reader.SetMax(comms.MaxCommandFrame)
		if s.parks {
			s.reader.SetIdle(s.server.patience)
		} else {
			s.reader.SetIdle(s.server.ping)
		}
		return ""
	}
	if _, s.quit = c.(comms.Quit); s.quit {
		return comms.CodeQuit
	}
	s.handle(c)
	return ""
}

// hello lets a ticket's holder in.
func (s *session) hello(c comms.Command) bool {
	h, ok := c.(comms.Hello)
	if !ok {
		s.reply(comms.Error{Code: comms.CodeHelloFirst, Message: "say hello with a ticket first; a router gives one"})
		return false
	}
	if h.Version != comms.Version {
		s.reply(comms.Error{Code: comms.CodeVersion, Message: fmt.Sprintf("this shard speaks protocol version %d", comms.Version)})
		return false
	}
	role := h.As
	if role == "" {
		role = comms.AsClient
	}
	now := time.Now()
	if err := s.server.opts.Keys.Check(h.Ticket, role, h.User, now); err != nil {
		s.reply(*comms.AsError(err))
		return false
	}
	if role != comms.AsClient {
		s.ctx, s.cancel = context.WithCancel(s.server.ctx)
	}
	s.server.mu.Lock()
	s.role, s.user = role, h.User
	s.server.mu.Unlock()
	w := comms.Welcome{Version: comms.Version, Session: comms.NewSessionID(), User: h.User, Role: "shard", Name: s.server.opts.Name, Boot: s.server.opts.Boot}
	if role == comms.AsClient {
		var expires time.Time
		w.Ticket, expires = s.server.opts.Keys.Issue(role, h.User, now)
		w.Expires = expires.UnixMilli()
	}
	s.reply(w)
	return true
}
