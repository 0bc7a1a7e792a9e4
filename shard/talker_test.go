package shard

import (
	"io"
	"net"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// talker is a client that speaks the wire itself.
type talker struct {
	t    *testing.T
	nc   net.Conn
	conn *comms.Conn
}

func dial(t *testing.T, addr string) *talker {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() }) //nolint:errcheck // closed by the test, maybe
	conn := comms.NewClientConn(nc)
	conn.SetIdle(15 * time.Second)
	return &talker{t, nc, conn}
}

func login(t *testing.T, addr, user string) *talker {
	t.Helper()
	c := dial(t, addr)
	ticket, _ := keys.Issue(comms.AsClient, user, time.Now())
	c.say(comms.Hello{Version: comms.Version, User: user, Ticket: ticket})
	if w, ok := c.next().(comms.Welcome); !ok || w.Name != "s1" || w.Ticket == "" {
		t.Fatalf("got %+v", w)
	}
	return c
}

func (c *talker) say(commands ...comms.Command) {
	c.t.Helper()
	if err := c.conn.WriteCommand(commands...); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next event that is not presence.
func (c *talker) next() comms.Event {
	c.t.Helper()
	for {
		e, err := c.conn.ReadEvent()
		if err != nil {
			c.t.Fatal(err)
		}
		switch e.(type) {
		case comms.Presence, comms.PresenceList, comms.PingEvent:
			continue
		}
		return e
	}
}

// told is the next word of who came and went.
func (c *talker) told() comms.Presence {
	c.t.Helper()
	for {
		e, err := c.conn.ReadEvent()
		if err != nil {
			c.t.Fatal(err)
		}
		if p, ok := e.(comms.Presence); ok {
			return p
		}
	}
}

func (c *talker) refused(code string) {
	c.t.Helper()
	if e := c.next(); e == nil || func() bool { x, ok := e.(comms.Error); return !ok || x.Code != code }() {
		c.t.Fatalf("got %+v, want %s", e, code)
	}
}

// answer is what a command, as a line, gets once its partition is held: taking
// that over may take longer than a command waits for it.
func (c *talker) answer(line string) comms.Event {
	c.t.Helper()
	for tries := 0; ; tries++ {
		if _, err := io.WriteString(c.nc, line); err != nil {
			c.t.Fatal(err)
		}
		e := c.next()
		if refusal, ok := e.(comms.Error); !ok || refusal.Code != comms.CodeNotReady || tries == 10 {
			return e
		}
	}
}

func (c *talker) ask(command comms.Command) comms.Event {
	c.t.Helper()
	return c.answer(string(comms.AppendCommand(nil, command)))
}

func (c *talker) join(room string, after *comms.Position) comms.UserJoinedRoom {
	c.t.Helper()
	e := c.ask(comms.JoinRoom{Room: room, After: after})
	joined, ok := e.(comms.UserJoinedRoom)
	if !ok {
		c.t.Fatalf("join: %+v", e)
	}
	return joined
}

func (c *talker) message() comms.UserMessage {
	c.t.Helper()
	e := c.next()
	m, ok := e.(comms.UserMessage)
	if !ok {
		c.t.Fatalf("got %+v, want a message", e)
	}
	return m
}
