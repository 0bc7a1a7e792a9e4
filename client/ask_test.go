package client_test

import (
	"context"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestAPageNeedsNoRouter if its room is joined: it is asked for where the room has
// gone meanwhile.
func TestAPageNeedsNoRouter(t *testing.T) {
	c, s := connected(t, "s1", "s2")
	c.set(func() { c.guess = "s2" })
	if err := s.Join(t.Context(), "tea", nil); err != nil { // whereby s2 is known
		t.Fatal(err)
	}
	asked := make(chan struct{}, 100)
	c.set(func() {
		c.refuse = func(server string, command comms.Command) comms.Event {
			if q, ok := command.(comms.History); ok && server == "s1" {
				asked <- struct{}{}
				return comms.Error{Code: comms.CodeStorage, Message: "not now", Room: q.Room, Tag: q.Tag}
			}
			return nil
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	page := make(chan error, 1)
	go func() {
		_, err := s.History(ctx, comms.History{Room: "go", Limit: 10})
		page <- err
	}()
	<-asked
	c.router.kill()
	c.shards["s1"].kill()
	c.move("go", "s2", false)
	for _, want := range []string{client.LinkReconnecting, client.LinkUp} {
		for link := (client.RoomLink{}); link.Room != "go" || link.State != want; {
			link = next[client.RoomLink](t, s)
		}
	}
	for {
		select {
		case <-s.Events():
		case err := <-page:
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}
