package router

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/lobby"
)

// TestWebPageSaysNothing: any page that a browser shows can have it send lines to
// a router on the same machine, behind those of its request.
func TestWebPageSaysNothing(t *testing.T) {
	r := start(t)
	c := r.dial()
	c.say(
		"POST / HTTP/1.1\r", "Host: 127.0.0.1:8080\r", "Content-Type: text/plain\r", "\r",
		`{"_ct":"hello","v":1,"u":"eve"}`, `{"_ct":"ping","n":7}`,
	)
	rest, err := io.ReadAll(c.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it is not let go of")
	}
	if got := string(rest); strings.Contains(got, `"welcome"`) || strings.Contains(got, `"pong"`) {
		t.Errorf("it is answered %s", got)
	}
}

// TestSlipOfTheTongueIsForgiven to those who have said who they are, or joined.
func TestSlipOfTheTongueIsForgiven(t *testing.T) {
	r := start(t)
	for _, said := range []string{hello, `{"_ct":"join_room","r":"go"}`} {
		c := r.dial()
		c.say(said, "hello?", `{"_ct":"ping","n":7}`)
		c.hear(`"not_json"`)
		c.hear(`"pong"`)
	}
}

// TestStrangersDoNotFillTheRouter: whoever came first and has not said who they are
// goes when there are too many; those who have stay.
func TestStrangersDoNotFillTheRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := inBubble()
		defer stop()
		r.lobby = lobby.New(3)
		come := func() (*rawConn, <-chan struct{}) {
			ours, theirs := net.Pipe()
			ended := make(chan struct{})
			r.wg.Go(func() {
				defer close(ended)
				r.serve(theirs, true)
			})
			c := &rawConn{t, ours, bufio.NewReader(ours)}
			c.hear(`"login_successful"`)
			return c, ended
		}
		aware, _ := come()
		aware.say(hello)
		aware.hear(`"welcome"`)
		ancestor, _ := come()
		ancestor.say(`{"_ct":"join_room","r":"go"}`)
		ancestor.hear(`"user_joined_room"`)
		first, ended := come()
		defer first.nc.Close()
		for range 3 {
			c, _ := come()
			defer c.nc.Close()
		}
		<-ended
		for _, c := range []*rawConn{aware, ancestor} {
			c.say(`{"_ct":"ping","n":7}`)
			c.hear(`"pong"`)
			c.nc.Close()
		}
	})
}

// TestStrangerWhoTalksIsLetGoOfToo: what it says gives it no more time.
func TestStrangerWhoTalksIsLetGoOfToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := inBubble()
		defer stop()
		ours, theirs := net.Pipe()
		defer ours.Close()
		r.wg.Go(func() { r.serve(theirs, true) })
		go io.Copy(io.Discard, ours) //nolint:errcheck // it ends with the connection
		begun := time.Now()
		for time.Since(begun) < 3*comms.LobbyTimeout {
			if _, err := io.WriteString(ours, `{"_ct":"ping","n":1}`+"\n"); err != nil {
				break
			}
			<-time.After(time.Minute)
		}
		if took := time.Since(begun); took > comms.LobbyTimeout+time.Minute {
			t.Errorf("it could stay for %s", took)
		}
	})
}
