package client_test

import (
	"errors"
	"testing"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestWhyNobodyServesIsToldWhenItIsKnown: that a connection broke says less.
func TestWhyNobodyServesIsToldWhenItIsKnown(t *testing.T) {
	c, s := connected(t, "s1")
	asked := make(chan struct{}, 100)
	c.set(func() {
		c.refuse = func(_ string, command comms.Command) comms.Event {
			if locate, ok := command.(comms.Locate); ok && locate.At == "" {
				asked <- struct{}{}
				return comms.Error{Code: comms.CodeNoShard, Message: "no shard serves just now", Room: locate.Room}
			}
			return nil
		}
	})
	c.shards["s1"].kill()
	var refused *client.RefusedError
	for told := 1; ; told++ {
		link := next[client.RoomLink](t, s)
		if errors.As(link.Err, &refused) && refused.Code == comms.CodeNoShard && link.State == client.LinkReconnecting {
			if told == 1 {
				t.Error("nothing was told when the shard was lost")
			}
			break
		}
	}
	for range 3 { // the same is no news
		<-asked
	}
	if err := s.Leave(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	for e := range s.Events() {
		switch e := e.(type) {
		case client.RoomLink:
			t.Errorf("told again: %+v", e)
		case client.Left:
			return
		}
	}
}
