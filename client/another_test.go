package client_test

import (
	"errors"
	"testing"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// named makes a cluster's router call it by a name.
func (c *fakeCluster) named(name string) {
	c.set(func() {
		c.refuse = func(server string, command comms.Command) comms.Event {
			if hello, ok := command.(comms.Hello); ok && server == "router" {
				return comms.Welcome{Version: comms.Version, Session: "s", User: hello.User, Role: "router", Name: "router", Boot: "b", Ticket: "ticket", Cluster: name}
			}
			return nil
		}
	})
}

// TestSessionStaysWithItsCluster: another one at the address of its router gets
// neither its rooms nor what waits to be sent, and is said to be there. The first
// gets it all, once it is back.
func TestSessionStaysWithItsCluster(t *testing.T) {
	for name, c := range map[string]struct{ first, then string }{
		"another":                              {"A", "B"},
		"one that has no name":                 {"A", ""},
		"one that has, where the first had no": {"", "B"},
	} {
		t.Run(name, func(t *testing.T) {
			first, then := newCluster("s1"), newCluster("s1")
			t.Cleanup(first.close)
			t.Cleanup(then.close)
			first.named(c.first)
			then.named(c.then)
			addr := first.router.addr()
			s := login(t, "ada", addr)
			if err := s.Join(t.Context(), "go", nil); err != nil {
				t.Fatal(err)
			}
			next[client.Joined](t, s)
			first.router.kill()
			first.shards["s1"].kill()
			then.router.kill()
			then.set(func() { then.router = then.listen("router", addr) })
			if _, err := s.Post("go", "meant for the first"); err != nil {
				t.Fatal(err)
			}
			for tries := 0; tries < 2; {
				link := next[client.RouterLink](t, s)
				if errors.Is(link.Err, client.ErrAnotherCluster) {
					tries++
				}
				if link.Up && tries > 0 || tries > 0 && link.Addr != addr {
					t.Fatalf("got %+v", link)
				}
			}
			if heard := len(commands[comms.JoinRoom](then)) + len(commands[comms.Locate](then)) + len(commands[comms.SendMessage](then)); heard > 0 {
				t.Errorf("the other one heard of it: %+v", commands[comms.Command](then))
			}
			then.router.kill()
			first.set(func() {
				first.router, first.shards["s1"] = first.listen("router", addr), first.listen("s1", "127.0.0.1:0")
			})
			if m := next[client.Message](t, s); m.Content != "meant for the first" || !m.Mine {
				t.Errorf("got %+v", m)
			}
			if sent := commands[comms.SendMessage](first); len(sent) == 0 {
				t.Error("the first heard nothing")
			}
		})
	}
}
