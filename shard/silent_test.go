package shard

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
	"positivity-exchange/comms/tlsconn/testcert"
	"positivity-exchange/membership/membershiptest"
	"positivity-exchange/shard/roomlog/sqlitelog"
)

// serveChanged is serve with changes.
func serveChanged(t testing.TB, changes ...func(*Server)) (addr string) {
	t.Helper()
	store, err := sqlitelog.Open(t.TempDir(), sqlitelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, store, changes...)
}

// soon lets sessions be parked after a moment.
func soon(s *Server) { s.patience = 50 * time.Millisecond }

// unforgiving lets those whose connection breaks off be told as gone at once.
func unforgiving(s *Server) { s.linger = 0 }

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	membershiptest.Within(t, what, 20*time.Second, ok)
}

// readers counts the sessions that have a goroutine.
func readers() int { return goroutinesIn("(*session).read") }

// goroutinesIn counts the goroutines that are in a function of this package.
func goroutinesIn(function string) int {
	var b bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&b, 2) //nolint:errcheck // to memory
	return bytes.Count(b.Bytes(), []byte("shard."+function+"("))
}

func skipWhereNothingParks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("silent sessions keep a goroutine here")
	}
}

// TestSilentSessionHasNoReader, and misses nothing by it: events reach it, and
// it is heard as soon as it speaks or ends.
func TestSilentSessionHasNoReader(t *testing.T) {
	skipWhereNothingParks(t)
	addr := serveChanged(t, soon, unforgiving)
	const n = 20
	var crowd []*talker
	for i := range n {
		c := login(t, addr, fmt.Sprint("user", i))
		c.join("tea", nil)
		crowd = append(crowd, c)
	}
	for round := range 3 {
		await(t, "all are silent and have no reader", func() bool { return readers() == 0 })
		said := fmt.Sprint("round ", round)
		crowd[round].say(comms.SendMessage{Room: "tea", Content: said, ID: fmt.Sprint("m", round)})
		for i, c := range crowd {
			if m := c.message(); m.Content != said || m.Seq != uint64(round+1) {
				t.Fatalf("user%d got %+v", i, m)
			}
		}
	}
	await(t, "all are silent again", func() bool { return readers() == 0 })
	crowd[0].nc.Close()
	for left := false; !left; {
		left = slices.Contains(crowd[1].told().Left, "user0")
	}
	// The others are parked when the shard ends, with the test.
	await(t, "the rest is silent", func() bool { return readers() == 0 })
}

// TestParkedSessionIsPinged as it was to be without parking: asked three times
// and then left, unless it answers.
func TestParkedSessionIsPinged(t *testing.T) {
	skipWhereNothingParks(t)
	addr := serveChanged(t, func(s *Server) { s.patience, s.ping = 50*time.Millisecond, 400*time.Millisecond })
	c := login(t, addr, "ada")
	event := func() comms.Event {
		e, err := c.conn.ReadEvent()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for answers := 0; ; {
		if e := event(); e != (comms.PingEvent{N: 1}) {
			if answers > 0 && e == (comms.PingEvent{N: 2}) {
				continue // it crossed the answer
			}
			t.Fatalf("got %+v, want ping 1", e)
		}
		if answers == 2 {
			break
		}
		c.say(comms.Pong{N: 1}) // counting begins again
		answers++
	}
	for n := uint64(2); n <= maxSilence; n++ {
		if e := event(); e != (comms.PingEvent{N: n}) {
			t.Fatalf("got %+v, want ping %d", e, n)
		}
	}
	if e, ok := event().(comms.Goodbye); !ok || e.Reason != comms.CodeIdle {
		t.Fatalf("got %+v, want goodbye", e)
	}
}

// TestSilentSessionUnderTLS: nothing that TLS has read and not yet given out may
// be waited for in vain.
func TestSilentSessionUnderTLS(t *testing.T) {
	skipWhereNothingParks(t)
	authority, err := testcert.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Sign(time.Now().Add(time.Hour), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tlsconn.LoadCertificate(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := tlsconn.Roots(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	addr := serveChanged(t, soon, func(s *Server) { s.opts.TLS = certificate.Config() })
	nc, err := tlsconn.Dial(t.Context(), addr, roots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() }) //nolint:errcheck // closed by the shard, maybe
	conn := comms.NewClientConn(nc)
	conn.SetIdle(15 * time.Second)
	c := &talker{t, nc, conn}
	ticket, _ := keys.Issue(comms.AsClient, "ada", time.Now())
	c.say(comms.Hello{Version: comms.Version, User: "ada", Ticket: ticket})
	if _, ok := c.next().(comms.Welcome); !ok {
		t.Fatal("not welcome")
	}
	c.join("tea", nil)
	for round := range 3 {
		await(t, "it is silent and has no reader", func() bool { return readers() == 0 })
		// Each in a record of its own, read together.
		for i := range 5 {
			c.say(comms.SendMessage{Room: "tea", Content: fmt.Sprint(round, i), ID: fmt.Sprint(round, "-", i)})
		}
		for i := range 5 {
			if m := c.message(); m.Content != fmt.Sprint(round, i) {
				t.Fatalf("got %+v", m)
			}
		}
	}
}
