package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestWhatNoServerTakesIsRefusedAtOnce: sent on, it would have no answer, or
// take the connection and every room on it along.
func TestWhatNoServerTakesIsRefusedAtOnce(t *testing.T) {
	c, s := connected(t, "s1")
	long := strings.Repeat("x", comms.MaxCommandFrame)
	post := func(_ string, err error) error { return err }
	for _, call := range []struct {
		what, code string
		do         func(context.Context) error
	}{
		{"post invalid UTF-8", comms.CodeNotUTF8, func(context.Context) error { return post(s.Post("go", "\xff")) }},
		{"post a topic of two lines", comms.CodeBadContent, func(context.Context) error { return post(s.PostTopic("go", "a\nb")) }},
		{"send nothing", comms.CodeBadContent, func(ctx context.Context) error { _, err := s.Send(ctx, "go", ""); return err }},
		{"repost invalid UTF-8", comms.CodeNotUTF8, func(context.Context) error { return s.Repost("go", "\xff", "old.1", 0) }},
		{"repost what is longer than a line", comms.CodeTooLong, func(context.Context) error { return s.Repost("go", long, "old.2", 0) }},
		{"repost under no id", comms.CodeBadID, func(context.Context) error { return s.Repost("go", "x", "", 0) }},
		{"repost under a bad id", comms.CodeBadID, func(context.Context) error { return s.Repost("go", "x", "bad id", 0) }},
		{"repost a long topic", comms.CodeTooLong, func(context.Context) error { return s.RepostTopic("go", long, "old.3", 0) }},
		{"repost a topic under a bad id", comms.CodeBadID, func(context.Context) error { return s.RepostTopic("go", "x", "bad id", 0) }},
		{"history of a bad name", comms.CodeBadRoom, func(ctx context.Context) error {
			_, err := s.History(ctx, comms.History{Room: "Bad Name", Limit: 1})
			return err
		}},
		{"history of no records", comms.CodeBadRange, func(ctx context.Context) error {
			_, err := s.History(ctx, comms.History{Room: "go"})
			return err
		}},
		{"rooms with a bad prefix", comms.CodeBadRoom, func(ctx context.Context) error {
			_, err := s.Rooms(ctx, comms.ListRooms{Prefix: "\xff"})
			return err
		}},
		{"rooms with a prefix longer than a line", comms.CodeBadRoom, func(ctx context.Context) error {
			_, err := s.Rooms(ctx, comms.ListRooms{Prefix: long})
			return err
		}},
		{"rooms after a bad name", comms.CodeBadRoom, func(ctx context.Context) error {
			_, err := s.Rooms(ctx, comms.ListRooms{After: "Bad Name"})
			return err
		}},
		{"too many rooms", comms.CodeBadRange, func(ctx context.Context) error {
			_, err := s.Rooms(ctx, comms.ListRooms{Limit: comms.MaxPage + 1})
			return err
		}},
		{"create a bad name", comms.CodeBadRoom, func(ctx context.Context) error { return s.Create(ctx, "Bad Name", "") }},
		{"create with a long description", comms.CodeTooLong, func(ctx context.Context) error { return s.Create(ctx, "new", long) }},
		{"ask where a bad name is", comms.CodeBadRoom, func(ctx context.Context) error { _, err := s.Where(ctx, "Bad Name"); return err }},
	} {
		t.Run(call.what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // it needs nobody's answer
			var refused *client.RefusedError
			if err := call.do(ctx); !errors.As(err, &refused) || refused.Code != call.code {
				t.Errorf("got %v, want a refusal of %s", err, call.code)
			}
		})
	}
	if left := s.Unacknowledged(); len(left) != 0 {
		t.Errorf("%d wait for an answer that never comes", len(left))
	}
	if sent := commands[comms.SendMessage](c); len(sent) != 0 {
		t.Errorf("sent %+v", sent)
	}
}

// TestRepostOfWhatIsUnderWay is refused: one acknowledgement would settle one of
// the two only.
func TestRepostOfWhatIsUnderWay(t *testing.T) {
	c, s := connected(t, "s1")
	c.set(func() { c.silent = "s1" })
	if err := s.Repost("go", "x", "old.1", 0); err != nil {
		t.Fatal(err)
	}
	var refused *client.RefusedError
	if err := s.Repost("go", "x", "old.1", 0); !errors.As(err, &refused) || refused.Code != comms.CodePending {
		t.Errorf("the second: %v", err)
	}
	if left := s.Unacknowledged(); len(left) != 1 {
		t.Errorf("under way: %v", left)
	}
}

// TestRefusalOfHistoryIsNoneOfTheJoin that waits at the same shard: the room would
// be joined a second time, which the shard takes for a connection gone astray.
func TestRefusalOfHistoryIsNoneOfTheJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, c *fakeCluster, s *client.Session) {
		c.set(func() {
			c.refuse = func(_ string, command comms.Command) comms.Event {
				switch command := command.(type) {
				case comms.JoinRoom:
					return comms.PingEvent{} // and its answer below
				case comms.History:
					return comms.Error{Code: comms.CodeStorage, Message: "later", Room: "go", Tag: command.Tag, Retry: 100}
				}
				return nil
			}
		})
		joined := make(chan error, 1)
		go func() { joined <- s.Join(t.Context(), "go", nil) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.History(ctx, comms.History{Room: "go", Limit: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("history: %v", err)
		}
		c.shards["s1"].tell(comms.UserJoinedRoom{Room: "go", Users: []string{"ada"}, Count: 1, Epoch: 1})
		select {
		case err := <-joined:
			if err != nil {
				t.Errorf("joined: %v", err)
			}
		case <-time.After(time.Second):
			t.Error("the answer to the join was taken by nobody")
		}
		if n := len(commands[comms.JoinRoom](c)); n != 1 {
			t.Errorf("it was joined %d times", n)
		}
	}, "s1")
}
