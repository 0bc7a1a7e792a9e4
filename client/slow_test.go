package client_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// slowly brings 20 KB a second.
type slowly struct{ net.Conn }

func (s slowly) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b[:min(len(b), 2000)])
	if err == nil {
		<-time.After(time.Duration(n) * time.Second / 20_000)
	}
	return n, err
}

// TestSlowNetwork brings long answers in the end: whoever hangs up or asks again
// meanwhile has it begin with them anew.
func TestSlowNetwork(t *testing.T) {
	page := func(records int) func(comms.Command) comms.Event {
		return func(command comms.Command) comms.Event {
			q, ok := command.(comms.History)
			if !ok {
				return nil
			}
			page := comms.HistoryPage{Room: q.Room, Tag: q.Tag, Head: uint64(records)}
			for i := range records {
				page.Records = append(page.Records, comms.Record{Kind: comms.KindMessage, Seq: uint64(i + 1), Epoch: 1, User: "bob", ID: fmt.Sprint(i), Content: strings.Repeat("x", 1000)})
			}
			return page
		}
	}
	history := func(ctx context.Context, s *client.Session) error {
		_, err := s.History(ctx, comms.History{Room: "go", Limit: 500})
		return err
	}
	for name, test := range map[string]struct {
		rooms  int // in the greeting
		answer func(comms.Command) comms.Event
		call   func(context.Context, *client.Session) error
	}{
		"a router with many rooms": {rooms: 500},
		"a page of history":        {answer: page(80), call: history},
		"a long page of history":   {answer: page(400), call: history},
		"a room full of people": {
			answer: func(command comms.Command) comms.Event {
				if _, ok := command.(comms.JoinRoom); !ok {
					return nil
				}
				there := comms.UserJoinedRoom{Room: "go", Epoch: 1, Count: 10_000}
				for i := range there.Count {
					there.Users = append(there.Users, fmt.Sprint("somebody-", i))
				}
				return there
			},
			call: func(ctx context.Context, s *client.Session) error { return s.Join(ctx, "go", nil) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, dial := piped("s1")
				defer c.wg.Wait()
				c.set(func() {
					c.refuse = func(_ string, command comms.Command) comms.Event {
						if test.answer == nil {
							return nil
						}
						return test.answer(command)
					}
					for i := range test.rooms {
						c.rooms = append(c.rooms, comms.Room{Name: fmt.Sprint("room-", i), Description: strings.Repeat("x", 150)})
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s, err := client.Connect(ctx, client.Options{Routers: []string{"router"}, User: "ada", Dial: func(ctx context.Context, addr string) (net.Conn, error) {
					nc, err := dial(ctx, addr)
					return slowly{nc}, err
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close() //nolint:errcheck // never fails
				if test.call != nil {
					if err := test.call(ctx, s); err != nil {
						t.Error(err)
					}
				}
				if n := len(commands[comms.Hello](c)); n > 2 {
					t.Errorf("%d connections were made", n)
				}
				if n := len(commands[comms.History](c)); n > 1 {
					t.Errorf("history was asked for %d times", n)
				}
			})
		})
	}
}

// TestReaderThatIsSlow keeps the network waiting, which is no reason to take the
// servers for silent.
func TestReaderThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dial := piped("s1")
		defer c.wg.Wait()
		s, err := client.Connect(t.Context(), client.Options{Routers: []string{"router"}, User: "ada", EventBuffer: 2, Dial: dial})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // never fails
		if err := s.Join(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
		post(t, s, 10)
		synctest.Wait() // and nobody reads what comes of them
		joined := make(chan error, 1)
		go func() { joined <- s.Join(t.Context(), "tea", nil) }()
		<-time.After(12 * time.Second)
		for {
			select {
			case e := <-s.Events():
				if link, ok := e.(client.RoomLink); ok && link.State != client.LinkUp {
					t.Errorf("got %+v", link)
				}
				continue
			case err := <-joined:
				if err != nil {
					t.Error(err)
				}
			}
			break
		}
	})
}
