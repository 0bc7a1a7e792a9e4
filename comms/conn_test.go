package comms

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSessionInTheAncestorsManner: a server accepts a client, sends an event
// and reads commands until the client closes; the client reads the event,
// sends two commands and ends.
func TestSessionInTheAncestorsManner(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	type result struct {
		commands []Command
		err      error
	}
	served := make(chan result, 1)
	go func() {
		var r result
		defer func() { served <- r }()
		nc, err := ln.Accept()
		if err != nil {
			r.err = err
			return
		}
		conn := NewServerConn(nc, time.Minute)
		defer conn.Close()
		if r.err = conn.WriteEvent(LoginSuccessful{Session: "s", User: "a1b2c", Rooms: []Room{{"general", "d"}}}); r.err != nil {
			return
		}
		for {
			c, err := conn.ReadCommand()
			if err != nil {
				r.err = err
				return
			}
			r.commands = append(r.commands, c)
		}
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := NewClientConn(nc)
	e, err := conn.ReadEvent()
	if login, ok := e.(LoginSuccessful); err != nil || !ok || login.User != "a1b2c" {
		t.Fatalf("got %#v, %v", e, err)
	}
	if err := conn.WriteCommand(JoinRoom{Room: "general"}, SendMessage{Room: "general", Content: "hello"}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	r := <-served
	if !errors.Is(r.err, io.EOF) || len(r.commands) != 2 || r.commands[1] != (SendMessage{Room: "general", Content: "hello"}) {
		t.Errorf("server read %#v, then %v", r.commands, r.err)
	}
}

func TestReaderTakesTheLimitAndRefusesOneByteMore(t *testing.T) {
	for _, c := range []struct {
		size int
		ok   bool
	}{{100, true}, {101, false}} {
		client, server := net.Pipe()
		go func() {
			client.Write([]byte(strings.Repeat("x", c.size-1) + "\nnext\n")) //nolint:errcheck // the reader may stop early
			client.Close()
		}()
		line, err := NewReader(server, 100, 0).Next()
		server.Close()
		var e *Error
		if c.ok != (err == nil) || !c.ok && (!errors.As(err, &e) || e.Code != CodeFrameTooLong) {
			t.Errorf("%d bytes of 100: got %d bytes, %v", c.size, len(line), err)
		}
	}
}

func TestReaderGivesUpOnALineThatDrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			drip(client, strings.Repeat("x", 1000))
		}()
		start := time.Now()
		_, err := NewReader(server, MaxCommandFrame, time.Minute).Next()
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeFrameTimeout || time.Since(start) != FrameTimeout {
			t.Errorf("got %v after %s, want %s after %s", err, time.Since(start), CodeFrameTimeout, FrameTimeout)
		}
		server.Close()
		<-ended
	})
}

// drip writes a byte a second.
func drip(to net.Conn, text string) {
	for tick := time.NewTicker(time.Second); text != ""; <-tick.C {
		if _, err := to.Write([]byte(text[:1])); err != nil {
			return
		}
		text = text[1:]
	}
}

// TestClientWaitsForALineThatDrips, as one does over a slow network, but not for
// one that stops.
func TestClientWaitsForALineThatDrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		conn := NewClientConn(near)
		defer conn.Close()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			drip(far, string(AppendEvent(nil, PongEvent{7}))+"{")
		}()
		if e, err := conn.ReadEvent(); err != nil || e != (PongEvent{7}) {
			t.Errorf("got %v, %v", e, err)
		}
		if conn.Reads() == 0 {
			t.Error("nothing came, it says")
		}
		began := time.Now() // with one byte of the next line to come
		var e *Error
		if _, err := conn.ReadEvent(); !errors.As(err, &e) || e.Code != CodeFrameTimeout || time.Since(began) > FrameTimeout+3*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		conn.Close()
		<-ended
	})
}

// deadlines counts the read deadlines that are set on a connection.
type deadlines struct {
	net.Conn
	set int
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set++
	return d.Conn.SetReadDeadline(at)
}

// TestSilenceIsToldInSteps: all who fall silent within a step are told at once,
// a busy connection moves its deadline once a step, and nobody who was told
// keeps a buffer.
func TestSilenceIsToldInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle, step = time.Second, time.Second / 8
		for range 3 {
			client, server := net.Pipe()
			nc := &deadlines{Conn: server}
			r := NewReader(nc, MaxCommandFrame, idle)
			busy := time.Now()
			for range 100 {
				go client.Write([]byte("x\n")) //nolint:errcheck // read below
				if _, err := r.Next(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(step / 50) // of the bubble's time
			}
			if most := int(time.Since(busy)/step) + 1; nc.set > most {
				t.Errorf("the deadline was set %d times in %d steps", nc.set, most)
			}
			start := time.Now()
			_, err := r.Next()
			if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took < idle || took > idle+step {
				t.Errorf("got %v after %s", err, took)
			}
			if r.buf != nil || r.lent != nil {
				t.Error("a buffer is kept")
			}
			if !time.Now().Equal(time.Now().Truncate(step)) {
				t.Errorf("told at %s, within a step", time.Now())
			}
			client.Close()
			server.Close()
		}
	})
}

func TestReaderTellsAnEndWithinALineFromOneBetween(t *testing.T) {
	for text, want := range map[string]error{"a\r\n": io.EOF, "a\r\nb": io.ErrUnexpectedEOF} {
		client, server := net.Pipe()
		go func() {
			client.Write([]byte(text)) //nolint:errcheck // read below
			client.Close()
		}()
		r := NewReader(server, 100, 0)
		if line, err := r.Next(); err != nil || string(line) != "a" {
			t.Fatalf("got %q, %v", line, err)
		}
		if _, err := r.Next(); err != want {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("a\r\nb\n\n"), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint8) {
		client, server := net.Pipe()
		go func() {
			defer client.Close()
			for rest := stream; len(rest) > 0; {
				n := min(int(chunk)+1, len(rest))
				if _, err := client.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		defer server.Close()
		r := NewReader(server, 64, 0)
		for _, want := range bytes.SplitAfter(stream, []byte("\n")) {
			line, err := r.Next()
			switch {
			case len(want) > 64:
				if AsError(err).Code != CodeFrameTooLong {
					t.Fatalf("%d bytes: got %v", len(want), err)
				}
				return
			case !bytes.HasSuffix(want, []byte("\n")):
				if err == nil {
					t.Fatalf("an unfinished line was returned: %q", line)
				}
				return
			case err != nil || string(line) != strings.TrimSuffix(strings.TrimSuffix(string(want), "\n"), "\r"):
				t.Fatalf("got %q, %v; want %q", line, err, want)
			}
		}
	})
}

func TestTickets(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	keys := NewKeys(bytes.Repeat([]byte{1}, 32))
	ticket, expires := keys.Issue(AsClient, "ada", now)
	if want := now.Add(TicketLifetime); !expires.Equal(want) {
		t.Errorf("expires %s, want %s", expires, want)
	}
	other, _ := NewKeys(bytes.Repeat([]byte{2}, 32)).Issue(AsClient, "ada", now)
	for name, c := range map[string]struct {
		ticket, role, user string
		at                 time.Time
		code               string
	}{
		"good":            {ticket, AsClient, "ada", now, ""},
		"within the skew": {ticket, AsClient, "ada", expires.Add(ClockSkew), ""},
		"expired":         {ticket, AsClient, "ada", expires.Add(ClockSkew + time.Millisecond), CodeExpired},
		"another user":    {ticket, AsClient, "eve", now, CodeBadTicket},
		"another role":    {ticket, AsOperator, "ada", now, CodeBadTicket},
		"another cluster": {other, AsClient, "ada", now, CodeBadTicket},
		"forged":          {strings.Replace(ticket, "ada", "eve", 1), AsClient, "eve", now, CodeBadTicket},
		"cut":             {ticket[:len(ticket)-1], AsClient, "ada", now, CodeBadTicket},
		"empty":           {"", AsClient, "ada", now, CodeBadTicket},
	} {
		err := keys.Check(c.ticket, c.role, c.user, c.at)
		if c.code == "" && err != nil || c.code != "" && (err == nil || AsError(err).Code != c.code) {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
	}
}

// TestExpiredTicketNamesTheClocks: what is done about it differs with who has it.
func TestExpiredTicketNamesTheClocks(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	keys := NewKeys(bytes.Repeat([]byte{1}, 32))
	for role, want := range map[string]string{
		AsClient:   "expired 5m0s ago by the clock here; ask a router for a new one",
		AsMember:   `the clock of member "x" is 15m0s behind`,
		AsOperator: `the clock of operator "x" is 15m0s behind`,
	} {
		ticket, _ := keys.Issue(role, "x", now)
		err := keys.Check(ticket, role, "x", now.Add(15*time.Minute))
		if err == nil || AsError(err).Code != CodeExpired || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "set both machines' clocks") {
			t.Errorf("%s: %v; want %q", role, err, want)
		}
	}
}

func FuzzTicket(f *testing.F) {
	keys := NewKeys(make([]byte, 32))
	good, _ := keys.Issue(AsClient, "ada", time.Unix(0, 0))
	f.Add(good)
	f.Add("1.client.ada.5.")
	f.Fuzz(func(t *testing.T, ticket string) {
		if err := keys.Check(ticket, AsClient, "eve", time.Unix(0, 0)); err == nil {
			t.Fatalf("%q was taken for eve's", ticket)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("general")
	f.Fuzz(func(t *testing.T, s string) {
		ok := CheckRoomName(s) == nil
		for _, r := range s {
			if ok && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r) {
				t.Fatalf("%q was taken for a room name", s)
			}
		}
		if CheckContent(s) == nil && strings.ContainsAny(s, "\x00\x1b\r\x7f\u009b") {
			t.Fatalf("%q was taken for content", s)
		}
	})
}

func TestIDsAreUniqueAndValid(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		source := NewIDSource()
		for range 100 {
			id := source.Next()
			if seen[id] || CheckID(id) != nil {
				t.Fatalf("id %q: repeated or not valid", id)
			}
			seen[id] = true
		}
	}
}
