package state

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"positivity-exchange/client"
)

func TestMarksEndAtStoredOrFailed(t *testing.T) {
	s := in("go").Posted("go", "1", "a", false).Posted("go", "2", "b", false)
	if s.MarkShown(s.Room("go").Waiting[0]) != 0 {
		t.Error("a mark flickers")
	}
	s.Now = s.Now.Add(time.Second)
	if s.MarkShown(s.Room("go").Waiting[0]) != Queued || !strings.Contains(s.Status(s.Room("go"), 200, false), "2 waiting") {
		t.Error("what waits for a second has no mark")
	}
	m := said("go", "ada", "a", 1)
	m.ID, m.Mine = "1", true
	s = s.Apply(m).Apply(client.SendFailed{Room: "go", ID: "2", Err: errors.New("too long")})
	r := s.Room("go")
	if len(r.Waiting) != 1 || r.Waiting[0].Mark != Failed || r.Waiting[0].Reason != "too long" || r.Lines[0].Mark != Stored {
		t.Errorf("%+v", r)
	}
	s, failed := s.Discard("go")
	if len(failed) != 1 || failed[0].Text != "b" || len(s.Room("go").Waiting) != 0 {
		t.Errorf("discarded %+v", failed)
	}
}

func TestSavedStateComesBack(t *testing.T) {
	s := in("go").Apply(client.Joined{Room: "tea"})
	s = s.Update("go", func(r *Room) { r.Draft, r.Level = NewInput("dra\nft"), NotifyMentions })
	s = s.Posted("go", "id-1", "unsent", false).Remember("/join tea")
	saved := s.Save()
	back := State{Now: noon}.Restore(saved)
	r := back.Room("go")
	if r.Draft.String() != "dra\nft" || r.Level != NotifyMentions || len(r.Waiting) != 1 || r.Waiting[0].ID != "id-1" || !slices.Equal(back.Inputs, []string{"/join tea"}) {
		t.Errorf("%+v", r)
	}
	if saved.Active != "go" || !saved.Rooms["tea"].Joined || saved.User != "ada" {
		t.Errorf("%+v", saved)
	}
}

// TestFailedMessagesSurvive: what was refused can be sent again tomorrow.
func TestFailedMessagesSurvive(t *testing.T) {
	s := in("go").Posted("go", "1", "unlucky", false).Apply(client.SendFailed{Room: "go", ID: "1", Err: errors.New("refused")})
	r := State{Now: noon}.Restore(s.Save()).Room("go")
	if len(r.Waiting) != 1 || r.Waiting[0].Mark != Failed || r.Waiting[0].Reason != "refused" {
		t.Errorf("%+v", r.Waiting)
	}
}

// TestMessagesWithoutASession wait, in order, and are given over once.
func TestMessagesWithoutASession(t *testing.T) {
	s := in("go").Queue("go", "1", "a", false).Queue("go", "2", "b", false)
	var ids []string
	for _, l := range s.Room("go").Unposted() {
		ids = append(ids, l.ID)
		s = s.Submitted("go", l.ID, 7)
	}
	if !slices.Equal(ids, []string{"1", "2"}) || len(s.Room("go").Unposted()) != 0 || s.Room("go").Waiting[0].Seen != 7 {
		t.Errorf("%v, then %+v", ids, s.Room("go").Waiting)
	}
	s = s.Queue("go", "3", "c", false).FailUnposted("go", "no such room")
	if w := s.Room("go").Waiting; w[1].Mark != Queued || w[2].Mark != Failed || w[2].Reason != "no such room" {
		t.Errorf("%+v", w)
	}
}

// TestLeftRoomWaitsForNothing: what was not sent has failed, and no shard is
// waited for.
func TestLeftRoomWaitsForNothing(t *testing.T) {
	s := in("go").Queue("go", "1", "a", false)
	s = s.Apply(client.RoomLink{Room: "go", State: client.LinkReconnecting}).Apply(client.Left{Room: "go"})
	r := s.Room("go")
	if len(r.Unposted()) != 0 || len(r.Waiting) != 1 || r.Waiting[0].Mark != Failed || r.Link.State != (client.RoomLink{}).State || !r.LinkSince.IsZero() {
		t.Errorf("%+v", r)
	}
}
