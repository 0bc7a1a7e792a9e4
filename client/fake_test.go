package client_test

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCluster speaks the servers' side of the protocol over real TCP: one
// router and some shards over one list of records per room. A test decides who
// owns what, and when somebody dies, refuses or lies.
type fakeCluster struct {
	router *fakeServer
	shards map[string]*fakeServer
	wg     sync.WaitGroup

	mu      sync.Mutex
	owner   map[string]string // room -> shard; a missing one is served by whoever is asked
	guess   string            // shard the router names, right or wrong
	epoch   uint64
	records map[string][]comms.Record
	rooms   []comms.Room                                    // in the router's greeting
	made    []string                                        // by create_room
	refuse  func(shard string, c comms.Command) comms.Event // answered instead, if not nil
	silent  string                                          // server that hears all and answers nothing; its connections of that time never do
	lag     time.Duration                                   // of every answer of a shard
	heard   []heard
}

// heard is a command as a server heard it.
type heard struct {
	server  string
	command comms.Command
}

type fakeServer struct {
	cluster *fakeCluster
	name    string
	ln      net.Listener

	mu    sync.Mutex
	conns map[*comms.Conn]map[string]bool // and the rooms each has joined
}

// newCluster starts a router and the named shards; the first one is the router's guess.
func newCluster(shards ...string) *fakeCluster {
	c := &fakeCluster{shards: map[string]*fakeServer{}, owner: map[string]string{}, guess: shards[0], epoch: 1, records: map[string][]comms.Record{}}
	c.mu.Lock() // the race detector does not see that connections come later
	defer c.mu.Unlock()
	c.router = c.listen("router", "127.0.0.1:0")
	for _, name := range shards {
		c.shards[name] = c.listen(name, "127.0.0.1:0")
	}
	return c
}

// set changes what the test decides.
func (c *fakeCluster) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *fakeCluster) listen(name, addr string) *fakeServer {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	s := &fakeServer{cluster: c, name: name, ln: ln, conns: map[*comms.Conn]map[string]bool{}}
	c.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { s.serve(comms.NewServerConn(nc, time.Minute)) })
		}
	})
	return s
}

func (s *fakeServer) addr() string { return s.ln.Addr().String() }

// kill ends the server and all its connections.
func (s *fakeServer) kill() {
	s.ln.Close()
	s.reset()
}

// reset breaks all connections; new ones are taken.
func (s *fakeServer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

func (c *fakeCluster) close() {
	c.router.kill()
	for _, s := range c.shards {
		s.kill()
	}
	c.wg.Wait()
}

// heardAll waits until every client has gone and all they said was heard.
func (c *fakeCluster) heardAll() {
	c.router.ln.Close()
	for _, s := range c.shards {
		s.ln.Close()
	}
	c.wg.Wait()
}

// move gives a room to another shard; tell says so to those in it.
func (c *fakeCluster) move(room, to string, tell bool) {
	c.mu.Lock()
	from := c.owner[room]
	c.owner[room] = to
	c.epoch++
	c.mu.Unlock()
	if !tell {
		return
	}
	s := c.shards[from]
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, rooms := range s.conns {
		if rooms[room] {
			delete(rooms, room)
			conn.WriteEvent(comms.RoomMoved{Rooms: []string{room}, Shard: to, Addr: c.shards[to].addr()}) //nolint:errcheck // the test sees it
		}
	}
}

// tell sends an event to all connections of a shard.
func (s *fakeServer) tell(e comms.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.WriteEvent(e) //nolint:errcheck // the test sees it
	}
}

// commands lists what was heard, of one type.
func commands[C comms.Command](c *fakeCluster) []C {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []C
	for _, h := range c.heard {
		if command, ok := h.command.(C); ok {
			list = append(list, command)
		}
	}
	return list
}

func (s *fakeServer) serve(conn *comms.Conn) {
	defer conn.Close()
	s.mu.Lock()
	s.conns[conn] = map[string]bool{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	if s.name == "router" {
		s.cluster.mu.Lock()
		rooms := append([]comms.Room{{Name: "general"}}, s.cluster.rooms...)
		s.cluster.mu.Unlock()
		s.cluster.wg.Go(func() { // a pipe holds nothing, and the client speaks first
			conn.WriteEvent(comms.LoginSuccessful{Session: "s", User: "guest", Rooms: rooms}) //nolint:errcheck // its end is read below
		})
	}
	user, deaf := "", false
	for {
		command, err := conn.ReadCommand()
		if err != nil {
			return
		}
		c := s.cluster
		c.mu.Lock()
		c.heard = append(c.heard, heard{s.name, command})
		if deaf = deaf || c.silent == s.name; deaf {
			c.mu.Unlock()
			continue
		}
		var answers []comms.Event
		if c.refuse != nil {
			if e := c.refuse(s.name, command); e != nil {
				c.mu.Unlock()
				conn.WriteEvent(e) //nolint:errcheck // its end is read above
				continue
			}
		}
		if hello, ok := command.(comms.Hello); ok {
			user = hello.User
			if user == "" {
				user = "guest"
			}
			answers = append(answers, comms.Welcome{Version: 1, Session: "s", User: user, Role: "shard", Name: s.name, Boot: "b", Ticket: "ticket"})
		} else if s.name == "router" {
			if locate, ok := command.(comms.Locate); ok {
				answers = append(answers, comms.Located{Room: locate.Room, Shard: c.guess, Addr: c.shards[c.guess].addr()})
			}
		} else {
			answers = s.answer(conn, user, command)
		}
		lag := c.lag
		c.mu.Unlock()
		if s.name != "router" && lag > 0 {
			<-time.After(lag)
		}
		if _, ok := command.(comms.Quit); ok {
			conn.WriteEvent(comms.Goodbye{Reason: "quit"}) //nolint:errcheck // it ends either way
			return
		}
		conn.WriteEvent(answers...) //nolint:errcheck // its end is read above
	}
}

// answer is a shard's answer. The cluster is locked by the caller.
func (s *fakeServer) answer(conn *comms.Conn, user string, command comms.Command) []comms.Event {
	c := s.cluster
	elsewhere := func(room, id string) []comms.Event {
		if c.owner[room] == "" {
			c.owner[room] = s.name
		}
		if to := c.owner[room]; to != s.name {
			return []comms.Event{comms.Redirect{Room: room, Shard: to, Addr: c.shards[to].addr(), Epoch: c.epoch, ID: id}}
		}
		return nil
	}
	switch command := command.(type) {
	case comms.JoinRoom:
		if away := elsewhere(command.Room, ""); away != nil {
			return away
		}
		s.mu.Lock()
		s.conns[conn][command.Room] = true
		s.mu.Unlock()
		records := c.records[command.Room]
		events := []comms.Event{comms.UserJoinedRoom{Room: command.Room, Users: []string{user}, Count: 1, Head: uint64(len(records)), HeadEpoch: c.epoch, Epoch: c.epoch}}
		if command.After != nil {
			for _, r := range records[min(command.After.Seq, uint64(len(records))):] {
				events = append(events, message(command.Room, r))
			}
		}
		return events
	case comms.SendMessage:
		if away := elsewhere(command.Room, command.ID); away != nil {
			return away
		}
		for _, r := range c.records[command.Room] {
			if r.User == user && r.ID == command.ID {
				return []comms.Event{message(command.Room, r)}
			}
		}
		r := comms.Record{Kind: comms.KindMessage, Seq: uint64(len(c.records[command.Room]) + 1), Epoch: c.epoch, User: user, ID: command.ID, Content: command.Content}
		c.records[command.Room] = append(c.records[command.Room], r)
		s.publish(conn, command.Room, r)
		return []comms.Event{message(command.Room, r)}
	case comms.History:
		if away := elsewhere(command.Room, ""); away != nil {
			return away
		}
		return []comms.Event{comms.HistoryPage{Room: command.Room, Tag: command.Tag, Head: uint64(len(c.records[command.Room]))}}
	case comms.CreateRoom:
		if slices.Contains(c.made, command.Room) {
			return []comms.Event{comms.Error{Code: comms.CodeRoomExists, Message: "it exists", Room: command.Room}}
		}
		c.made = append(c.made, command.Room)
		return []comms.Event{comms.RoomCreated{Room: command.Room, Epoch: c.epoch}}
	case comms.LeaveRoom:
		s.mu.Lock()
		delete(s.conns[conn], command.Room)
		s.mu.Unlock()
		return []comms.Event{comms.RoomLeft(command)}
	}
	return nil
}

// publish sends a record to all but the connection that it came from.
func (s *fakeServer) publish(from *comms.Conn, room string, r comms.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, rooms := range s.conns {
		if conn != from && rooms[room] {
			conn.WriteEvent(message(room, r)) //nolint:errcheck // the test sees it
		}
	}
}

func message(room string, r comms.Record) comms.UserMessage {
	return comms.UserMessage{Room: room, User: r.User, Content: r.Content, ID: r.ID, Seq: r.Seq, Epoch: r.Epoch, Time: 1}
}

// next reads events until one of type E.
func next[E client.Event](t *testing.T, s *client.Session) E {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-s.Events():
			if !ok {
				t.Fatal("the session has ended")
			}
			if e, ok := e.(E); ok {
				return e
			}
		case <-deadline:
			var want E
			t.Fatalf("there was no %T", want)
		}
	}
}
