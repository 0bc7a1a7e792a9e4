package main

import (
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"positivity-exchange/comms"
)

// both is a router and a shard at one address; answer has the shard's part after
// hello. Without an answer the connection ends.
func both(t *testing.T, answer func(addr string, command comms.Command) []comms.Event) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(served.Wait)
	t.Cleanup(func() { ln.Close() }) //nolint:errcheck // it is over either way
	serve := func(conn *comms.Conn) {
		defer conn.Close() //nolint:errcheck // it is over either way
		for {
			command, err := conn.ReadCommand()
			if err != nil {
				return
			}
			var events []comms.Event
			switch command := command.(type) {
			case comms.Hello:
				events = []comms.Event{comms.Welcome{Version: comms.Version, User: "ada", Name: "both", Boot: "b", Ticket: "t", Expires: time.Now().Add(time.Hour).UnixMilli()}}
			case comms.Locate:
				events = []comms.Event{comms.Located{Room: command.Room, Shard: "both", Addr: ln.Addr().String()}}
			default:
				events = answer(ln.Addr().String(), command)
			}
			if events == nil || conn.WriteEvent(events...) != nil {
				return
			}
		}
	}
	served.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() { serve(comms.NewServerConn(nc, time.Minute)) })
		}
	})
	return ln.Addr().String()
}

// TestTailEndsWithItsRoom, which the store may have lost: it would print nothing
// any more, and never end.
func TestTailEndsWithItsRoom(t *testing.T) {
	var joins atomic.Int32
	router := both(t, func(addr string, command comms.Command) []comms.Event {
		join, ok := command.(comms.JoinRoom)
		if !ok {
			return nil
		}
		if joins.Add(1) > 1 {
			return []comms.Event{comms.Error{Code: comms.CodeNoRoom, Message: "there is no room #go", Room: join.Room}}
		}
		return []comms.Event{
			comms.UserJoinedRoom{Room: join.Room, Users: []string{"ada"}, Count: 1, Epoch: 1},
			comms.RoomMoved{Rooms: []string{join.Room}, Shard: "both", Addr: addr},
		}
	})
	p, _, err := spawn(t, exec.Command(binary, "tail", "--room", "go", "--router", router))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "end of px tail", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	if got, code := p.log(), p.cmd.ProcessState.ExitCode(); code != exitFailed || got != "px: #go is followed no more: there is no room #go\n" {
		t.Errorf("ended with %d, %s", code, got)
	}
}

// TestWhatAShardRefusesForNowIsSaid: a full disk is not to be taken for a cluster
// that is not there.
func TestWhatAShardRefusesForNowIsSaid(t *testing.T) {
	t.Parallel() // it waits as long as a command does
	addr := both(t, func(_ string, command comms.Command) []comms.Event {
		full := comms.Error{Code: comms.CodeStorage, Message: "the disk is full", Retry: 100}
		switch command := command.(type) {
		case comms.JoinRoom:
			return []comms.Event{comms.UserJoinedRoom{Room: command.Room, Users: []string{"ada"}, Count: 1, Epoch: 1}}
		case comms.SendMessage:
			full.Room, full.ID = command.Room, command.ID
			return []comms.Event{full}
		case comms.CreateRoom:
			full.Room = command.Room
			return []comms.Event{full}
		}
		return nil
	})
	for command, want := range map[string]string{
		"create go":                      "px: not done within 10s: the disk is full\n",
		"send --room go --timeout 3s hi": "px: #go: the disk is full; trying again\npx: timed out: 1 message not acknowledged: ",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			name, rest, _ := strings.Cut(command, " ")
			args := append([]string{name, "--router", addr}, strings.Fields(rest)...)
			if _, errs, code := px(args...); code != exitFailed || !strings.HasPrefix(errs, want) {
				t.Errorf("%d, %s", code, errs)
			}
		})
	}
}
