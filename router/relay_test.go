package router

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/comms"
)

// storing is a shard that stores one message after the other, for which it takes
// its time.
type storing struct {
	takes  time.Duration // negative: it never does
	deaf   bool          // it does not even welcome
	stored atomic.Int32
}

func (s *storing) dial(r *Router) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		r.wg.Go(func() { s.serve(r.ctx, theirs) })
		return ours, nil
	}
}

func (s *storing) serve(ctx context.Context, nc net.Conn) {
	conn := comms.NewServerConn(nc, 0)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	user := ""
	for seq := uint64(0); ; {
		command, err := conn.ReadCommand()
		if err != nil {
			return
		}
		switch command := command.(type) {
		case comms.Hello:
			if user = command.User; !s.deaf {
				conn.WriteEvent(comms.Welcome{Version: 1, Session: "s", User: command.User, Role: "shard", Name: "s1", Boot: "s1-boot", Ticket: "t"}) //nolint:errcheck // its end is read above
			}
		case comms.JoinRoom:
			conn.WriteEvent(comms.UserJoinedRoom{Room: command.Room, Count: 1, Epoch: 1}) //nolint:errcheck // its end is read above
		case comms.SendMessage:
			if s.takes < 0 {
				continue
			}
			<-time.After(s.takes)
			s.stored.Add(1)
			seq++
			conn.WriteEvent(comms.UserMessage{Room: command.Room, User: user, Content: command.Content, ID: command.ID, Seq: seq, Epoch: 1, Time: 1}) //nolint:errcheck // its end is read above
		case comms.LeaveRoom:
			conn.WriteEvent(comms.RoomLeft(command)) //nolint:errcheck // its end is read above
		case comms.Quit:
			return
		}
	}
}

// ancestor connects to a router with this shard; ended is closed once the router
// has let go of it.
func (s *storing) ancestor(t *testing.T) (c *rawConn, ended <-chan struct{}, stop func()) {
	r, stopRouter := inBubble()
	r.opts.Dial = s.dial(r)
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	r.wg.Go(func() {
		defer close(done)
		r.serve(theirs, true)
	})
	c = &rawConn{t, ours, bufio.NewReader(ours)}
	c.hear(`"login_successful"`)
	return c, done, func() {
		ours.Close()
		stopRouter()
	}
}

// TestAncestorSaysOnlySoMuchAhead of what is stored: the router keeps what a
// shard does not take yet, and not all that a network brings.
func TestAncestorSaysOnlySoMuchAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := (&storing{takes: -1}).ancestor(t)
		defer stop()
		c.say(`{"_ct":"join_room","r":"go"}`)
		c.hear(`"user_joined_room"`)
		var taken atomic.Int32
		go func() {
			line := `{"_ct":"send_message","r":"go","c":"` + strings.Repeat("x", comms.MaxContent) + `"}` + "\n"
			for range 200 {
				if _, err := io.WriteString(c.nc, line); err != nil {
					return
				}
				taken.Add(1)
			}
		}()
		synctest.Wait()
		if n := int(taken.Load()) * comms.MaxContent; n < maxUnsettled/2 || n > 2*maxUnsettled {
			t.Errorf("the router took %d bytes", n)
		}
	})
}

// TestLastWordsOfAnAncestorAreStored, however it goes, if what it goes from makes
// any progress with them.
func TestLastWordsOfAnAncestorAreStored(t *testing.T) {
	const said = 200
	for name, how := range map[string]struct {
		last  string
		close bool
	}{
		"quit":  {last: `{"_ct":"quit"}`},
		"close": {close: true},
		"leave": {last: `{"_ct":"leave_room","r":"go"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shard := &storing{takes: 100 * time.Millisecond}
				c, ended, stop := shard.ancestor(t)
				defer stop()
				go io.Copy(io.Discard, c.nc) //nolint:errcheck // it ends with the connection
				c.say(`{"_ct":"join_room","r":"go"}`)
				for i := range said {
					c.say(fmt.Sprintf(`{"_ct":"send_message","r":"go","c":"message %d"}`, i))
				}
				if how.last != "" {
					c.say(how.last)
				}
				if how.close {
					c.nc.Close()
				}
				select {
				case <-ended:
				case <-time.After(time.Minute): // of the one that only left the room
				}
				if n := shard.stored.Load(); n != said {
					t.Errorf("%d of %d messages are stored", n, said)
				}
			})
		})
	}
}

// TestAncestorGoesBeforeAShardAnswers: the router does not wait for that shard, and
// nobody appears in the room who went long ago.
func TestAncestorGoesBeforeAShardAnswers(t *testing.T) {
	for name, shard := range map[string]*storing{
		"to its join":     {deaf: true},
		"to its messages": {takes: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, ended, stop := shard.ancestor(t)
				defer stop()
				c.say(`{"_ct":"join_room","r":"go"}`, `{"_ct":"send_message","r":"go","c":"hello"}`)
				synctest.Wait()
				gone := time.Now()
				c.nc.Close()
				select {
				case <-ended:
				case <-time.After(time.Minute):
				}
				if took := time.Since(gone); took > 3*time.Second {
					t.Errorf("let go of after %s", took)
				}
			})
		})
	}
}
