package router

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/comms"
)

// inBubble makes a router that is not run and has one shard, for connections
// over pipes; stop ends it.
func inBubble(rooms ...comms.Room) (r *Router, stop func()) {
	gossip := &fakeGossip{}
	gossip.set(shardAt("s1", "s1"))
	r = New(Options{Name: "r1", Boot: "rb", Cluster: "px", Gossip: gossip, Keys: comms.NewKeys(make([]byte, 32)), Rooms: rooms})
	r.opts.Dial = func(context.Context, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		r.wg.Go(func() { talkative(r.ctx, theirs) })
		return ours, nil
	}
	return r, func() { r.cancel(); r.wg.Wait() }
}

// talkative is a shard of one room, in which bob says something every minute.
func talkative(ctx context.Context, nc net.Conn) {
	conn := comms.NewServerConn(nc, time.Minute)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	room, seq := "", uint64(0)
	for {
		command, err := conn.ReadCommand()
		switch command := command.(type) {
		case comms.Hello:
			conn.WriteEvent(comms.Welcome{Version: 1, Session: "s", User: command.User, Role: "shard", Name: "s1", Boot: "s1-boot", Ticket: "t"}) //nolint:errcheck // read above
		case comms.JoinRoom:
			room = command.Room
			conn.WriteEvent(comms.UserJoinedRoom{Room: room, Users: []string{"bob"}, Count: 1, Epoch: 1}) //nolint:errcheck // read above
		case comms.LeaveRoom:
			<-time.After(time.Second)                // its log is slow
			conn.WriteEvent(comms.RoomLeft(command)) //nolint:errcheck // read above
		case nil:
			if ctx.Err() != nil || err == io.EOF {
				return
			}
			seq++
			conn.WriteEvent(comms.UserMessage{Room: room, User: "bob", Content: fmt.Sprint("minute ", seq), ID: fmt.Sprint("b", seq), Seq: seq, Epoch: 1, Time: 1}) //nolint:errcheck // read above
		}
	}
}

// TestAncestorMayListenInSilence for as long as it likes once it has joined;
// one that never joins is let go of.
func TestAncestorMayListenInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := inBubble()
		defer stop()
		ours, theirs := net.Pipe()
		defer ours.Close()
		r.wg.Go(func() { r.serve(theirs, true) })
		idle, other := net.Pipe()
		r.wg.Go(func() { r.serve(other, true) })
		begun := time.Now()
		r.wg.Go(func() {
			io.Copy(io.Discard, idle) //nolint:errcheck // until it is let go of
			if took := time.Since(begun); took < comms.LobbyTimeout || took > comms.LobbyTimeout+time.Second {
				t.Errorf("one that never joins was let go of after %s", took)
			}
		})
		c := &rawConn{t, ours, bufio.NewReader(ours)}
		c.hear(`"login_successful"`)
		c.say(`{"_ct":"join_room","r":"go"}`)
		c.hear(`"user_joined_room"`)
		minutes := int(3 * comms.LobbyTimeout / time.Minute)
		for i := range minutes {
			c.hear(fmt.Sprintf(`"minute %d"`, i+1))
		}
		if took := time.Since(begun); took < 2*comms.LobbyTimeout {
			t.Errorf("bob said all within %s", took)
		}
	})
}

// TestAncestorLeavesAndComesBackAtOnce without waiting for an answer, which the
// ancestor's leave_room does not have.
func TestAncestorLeavesAndComesBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := inBubble()
		defer stop()
		ours, theirs := net.Pipe()
		defer ours.Close()
		r.wg.Go(func() { r.serve(theirs, true) })
		c := &rawConn{t, ours, bufio.NewReader(ours)}
		c.hear(`"login_successful"`)
		c.say(`{"_ct":"join_room","r":"go"}`)
		c.hear(`"user_joined_room"`)
		c.say(`{"_ct":"leave_room","r":"go"}`, `{"_ct":"join_room","r":"go"}`)
		if line := c.hear(`"r":"go"`); strings.Contains(line, `"error"`) {
			t.Fatalf("it is told %s", line)
		}
		c.hear(`"user_joined_room"`)
	})
}
