package state

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestEveryRecordIsKept: the next visit shows from the disk what this one did,
// topics and what only later versions know included.
func TestEveryRecordIsKept(t *testing.T) {
	p := pageOf("go", 4, 1, 2, 3, 4)
	p.Records[1].Kind, p.Records[1].Content = comms.KindTopic, "Tea at four"
	p.Records[2].Kind, p.Records[2].Content = "poll", "tea or coffee?"
	s := in("go").WithHistory("go", p)
	again := in("go").WithHistory("go", comms.HistoryPage{Head: 4, Records: s.Room("go").Records(10)})
	for name, s := range map[string]State{"this visit": s, "the next": again} {
		if got := s.Room("go").Records(10); !slices.Equal(got, p.Records) {
			t.Errorf("%s keeps\n%+v\nwant\n%+v", name, got, p.Records)
		}
		if got := s.Room("go").Lines[1].Text; got != "bob set the topic: Tea at four" {
			t.Errorf("%s shows %q", name, got)
		}
	}
	if got := len(s.Room("go").Records(2)); got != 2 {
		t.Errorf("%d records, want 2", got)
	}
}

// TestStatusOfAHole says what is on hand, and asks only where one can.
func TestStatusOfAHole(t *testing.T) {
	s := in("go").Apply(client.RoomLink{Room: "go", State: client.LinkUp})
	offline := s
	offline.Offline = "no server at r:1"
	offline = offline.Update("go", func(r *Room) { r.Joined = false })
	for name, c := range map[string]struct {
		state State
		seqs  []uint64
		want  string
	}{
		"between":                 {s, []uint64{8, 9, 10, 12, 13}, "#1-10, 12-13 · 1 missing, asking for them"},
		"before the newest":       {s, []uint64{8, 9, 10, 13}, "#1-10, 13 · 2 missing, asking for them"},
		"the newest":              {s, []uint64{8, 9, 10}, "#1-10 · 3 missing, asking for them"},
		"nobody can be asked":     {offline, []uint64{8, 9, 10, 12, 13}, "#1-10, 12-13 · 1 not loaded · offline: no server at r:1"},
		"not asked, nothing lost": {offline, []uint64{12, 13}, "#1-13, no gaps · offline: no server at r:1"},
	} {
		s := c.state.WithHistory("go", pageOf("go", 13, c.seqs...))
		if got := s.Status(s.Room("go"), 200, false); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	s = offline.WithHistory("go", pageOf("go", 13, 10, 13))
	if got, want := s.Status(s.Room("go"), 40, true), "2 not loaded · offline"; got != want {
		t.Errorf("narrow: %q, want %q", got, want)
	}
}

// TestStatusNamesMentions: the room that has them may be out of sight.
func TestStatusNamesMentions(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea"}).Apply(client.Joined{Room: "jazz"})
	s = s.Apply(said("tea", "bob", "ada: look", 1)).Apply(said("tea", "bob", "@ada", 2)).Apply(said("jazz", "bob", "hello", 1))
	if got := s.Status(s.Room("go"), 200, false); got != "@2 · 3 unread in 2 rooms" {
		t.Errorf("got %q", got)
	}
	s = s.Open("jazz").Update("tea", func(r *Room) { r.Level = NotifyNone })
	if got := s.Status(s.Room("go"), 200, false); got != "@2" {
		t.Errorf("muted, but mentioned: got %q", got)
	}
}

// TestWhatWaitsStandsBeforeTheRouter, which may be cut; and the next is only
// tried where there is one.
func TestWhatWaitsStandsBeforeTheRouter(t *testing.T) {
	s := in("go").Queue("go", "1", "hi", false).Queue("go", "2", "hi", false).Apply(client.RouterLink{Addr: "localhost:8080"})
	s.Now = s.Now.Add(time.Second)
	for routers, want := range map[string]string{
		"localhost:8080":                 "2 waiting to be sent · no router answers at localhost:8080",
		"localhost:8080, localhost:8081": "2 waiting to be sent · no router answers at localhost:8080, trying the next",
	} {
		s.Connect.Router = NewInput(routers)
		if got := s.Status(s.Room("go"), 200, false); got != want {
			t.Errorf("%s: %q, want %q", routers, got, want)
		}
	}
}

// TestStatusKeepsWhatMatters: where there is no room for all, what somebody has to
// know stays, in whole words and numbers.
func TestStatusKeepsWhatMatters(t *testing.T) {
	lost := in("go").WithHistory("go", pageOf("go", 2000, 1, 2000)).Apply(client.RoomLink{Room: "go", State: client.LinkReconnecting})
	lost = lost.Queue("go", "1", "hi", false).Queue("go", "2", "hi", false).Apply(client.RouterLink{Addr: "127.0.0.1:8080"}).Apply(said("tea", "bob", "@ada", 1))
	lost.Now = lost.Now.Add(5 * time.Second)
	failed := lost.Apply(client.SendFailed{Room: "go", ID: "2", Err: errors.New("too long")})
	for name, c := range map[string]struct {
		state State
		width int
		want  string
	}{
		"wide":              {lost, 200, "up to #1 and from #2000 · 1998 between are not loaded · reconnecting (5 s) · 2 waiting to be sent · no router answers at 127.0.0.1:8080 · @1 · 1 unread in 1 room"},
		"80 columns":        {lost, 71, "reconnecting (5 s) · 2 waiting to be sent · no router · @1"},
		"40 columns":        {lost, 31, "reconnecting (5 s) · 2 waiting"},
		"a failed one":      {failed, 46, "reconnecting (5 s) · 1 waiting · 1 failed · @1"},
		"hardly any":        {failed, 12, "1 failed"},
		"none":              {failed, 3, "1 failed"},
		"nothing is amiss":  {in("go").WithHistory("go", pageOf("go", 1, 1)), 200, "#1-1, no gaps"},
		"nothing, no space": {in("go").WithHistory("go", pageOf("go", 1, 1)), 10, "no gaps"},
	} {
		if got := c.state.Status(c.state.Room("go"), c.width, false); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestStatusCountsWhatIsBelow, loaded or not.
func TestStatusCountsWhatIsBelow(t *testing.T) {
	s := in("go").WithHistory("go", pageOf("go", 2000, 300, 301, 302, 2000)).Apply(client.Presence{Room: "go", Joined: []string{"eve"}})
	for seq, want := range map[uint64]string{300: "1700 messages below", 302: "1698 messages below", 2000: "more below"} {
		s = s.Update("go", func(r *Room) { r.ScrollTo(seq, 0) })
		if got := s.Status(s.Room("go"), 200, false); !strings.Contains(got, want) {
			t.Errorf("at #%d: %q", seq, got)
		}
	}
}

// TestStatusBesideAnotherCluster says why nothing comes, before all that follows
// from it.
func TestStatusBesideAnotherCluster(t *testing.T) {
	s := in("go").Apply(client.RoomLink{Room: "go", State: client.LinkReconnecting}).Queue("go", "1", "hello", false)
	s = s.Apply(client.RouterLink{Addr: "r:1", Err: client.ErrAnotherCluster})
	s.Now = s.Now.Add(3 * time.Second)
	for narrow, want := range map[bool]string{false: "another cluster answers at r:1 · 1 waiting to be sent", true: "another cluster · 1 waiting"} {
		if got := s.Status(s.Room("go"), 80, narrow); got != want {
			t.Errorf("narrow %v: %q, want %q", narrow, got, want)
		}
	}
}

// TestStatusSaysWhyAMessageWaits while its shard refuses it for now.
func TestStatusSaysWhyAMessageWaits(t *testing.T) {
	s := in("go").Queue("go", "1", "hi", false)
	s.Now = s.Now.Add(time.Minute)
	full := &client.RefusedError{Code: comms.CodeStorage, Message: "the disk is full"}
	s = s.Apply(client.Held{Room: "go", Err: full})
	if got := s.Status(s.Room("go"), 80, false); !strings.Contains(got, "1 waiting: the disk is full") {
		t.Errorf("held: %q", got)
	}
	s = s.Apply(client.Held{Room: "go"})
	if got := s.Status(s.Room("go"), 80, false); !strings.Contains(got, "1 waiting to be sent") {
		t.Errorf("taken again: %q", got)
	}
}
