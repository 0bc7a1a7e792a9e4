package client_test

import (
	"errors"
	"testing"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestRoomThatCannotBeCaughtUp is joined again after a while, with a word of why
// it is not up; the connection, and what else is on it, stays.
func TestRoomThatCannotBeCaughtUp(t *testing.T) {
	c, s := connected(t, "s1")
	for next[client.RoomLink](t, s).State != client.LinkUp {
	}
	before := len(commands[comms.Hello](c))
	shard := c.shards["s1"]
	shard.mu.Lock()
	for _, rooms := range shard.conns {
		delete(rooms, "go")
	}
	shard.mu.Unlock()
	shard.tell(comms.Error{Code: comms.CodeUnreadable, Message: "no", Room: "go", Retry: 10})
	var refused *client.RefusedError
	if link := next[client.RoomLink](t, s); link.State != client.LinkReconnecting || !errors.As(link.Err, &refused) || refused.Code != comms.CodeUnreadable {
		t.Errorf("got %+v", link)
	}
	for next[client.RoomLink](t, s).State != client.LinkUp {
	}
	joins := commands[comms.JoinRoom](c)
	if len(joins) != 2 || joins[1].After == nil {
		t.Errorf("joined by %+v", joins)
	}
	if n := len(commands[comms.Hello](c)); n != before {
		t.Errorf("%d connections for it", n-before)
	}
}
