package stress

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"

	"positivity-exchange/comms"
)

// server is a router and shard in one, as simple as can be, that can be made
// to answer wrong. Everything it says in a room goes through deliver.
type server struct {
	ln net.Listener
	wg sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	rooms   map[string]*scripted
	deliver func(m delivery) [][]byte // the lines that go out in its place
	refuse  func(c comms.Command) comms.Event
}

// scripted is a room of the server.
type scripted struct {
	seq     uint64
	members []net.Conn
}

// delivery is a message on its way to one of a room's members.
type delivery struct {
	member int // in the order of joining
	line   comms.UserMessage
}

func (d delivery) bytes() []byte { return comms.AppendEvent(nil, d.line) }

// honest delivers what was sent.
func honest(d delivery) [][]byte { return [][]byte{d.bytes()} }

func serve(t *testing.T, ln net.Listener, deliver func(delivery) [][]byte) *server {
	s := &server{ln: ln, rooms: map[string]*scripted{}, deliver: deliver}
	s.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, nc)
			s.mu.Unlock()
			s.wg.Go(func() { s.speak(nc) })
		}
	})
	t.Cleanup(func() {
		ln.Close() //nolint:errcheck // ends the accepts
		s.mu.Lock()
		for _, nc := range s.conns {
			nc.Close() //nolint:errcheck // ends the reads
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *server) addr() string { return s.ln.Addr().String() }

func (s *server) speak(nc net.Conn) {
	defer nc.Close()
	conn := comms.NewServerConn(nc, 0)
	for {
		c, err := conn.ReadCommand()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.refuse != nil {
			if e := s.refuse(c); e != nil {
				conn.WriteEvent(e) //nolint:errcheck // the reader will see
				s.mu.Unlock()
				continue
			}
		}
		switch c := c.(type) {
		case comms.Hello:
			conn.WriteEvent(comms.Welcome{Version: 1, User: c.User, Ticket: "t", Role: "shard"}) //nolint:errcheck // the reader will see
		case comms.Locate:
			conn.WriteEvent(comms.Located{Room: c.Room, Addr: s.addr()}) //nolint:errcheck // likewise
		case comms.CreateRoom:
			s.rooms[c.Room] = &scripted{seq: 7}                        // somebody has been there before
			conn.WriteEvent(comms.RoomCreated{Room: c.Room, Epoch: 1}) //nolint:errcheck // likewise
		case comms.JoinRoom:
			r := s.rooms[c.Room]
			r.members = append(r.members, nc)
			conn.WriteEvent(comms.UserJoinedRoom{Room: c.Room, Users: []string{"x"}, Head: r.seq, Epoch: 1}) //nolint:errcheck // likewise
		case comms.LeaveRoom:
			r := s.rooms[c.Room]
			for i, member := range r.members {
				if member == nc {
					r.members[i] = nil
				}
			}
			conn.WriteEvent(comms.RoomLeft(c)) //nolint:errcheck // likewise
		case comms.SendMessage:
			r := s.rooms[c.Room]
			r.seq++
			for i, member := range r.members {
				if member == nil {
					continue
				}
				m := comms.UserMessage{Room: c.Room, User: "u", Content: c.Content, ID: c.ID, Seq: r.seq, Epoch: 1, Time: 1}
				for _, line := range s.deliver(delivery{i, m}) {
					member.Write(line) //nolint:errcheck // likewise
				}
			}
		}
		s.mu.Unlock()
	}
}

func listen(t *testing.T, config *tls.Config) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		return tls.NewListener(ln, config)
	}
	return ln
}
