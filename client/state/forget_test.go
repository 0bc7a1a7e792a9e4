package state

import (
	"testing"

	"positivity-exchange/client"
	"positivity-exchange/comms"
)

// TestForgettingLeadsWhereOneWas: to the room before, else to one that is taken
// part in, else to general, and never into another that merely is in the list.
func TestForgettingLeadsWhereOneWas(t *testing.T) {
	books := []comms.Room{{Name: "books"}, {Name: "general"}}
	for name, c := range map[string]struct {
		s    State
		want string
	}{
		"the room before":        {State{}.Open("tea").Open("typo"), "tea"},
		"one taken part in":      {State{}.WithRooms(books).Open("typo").Apply(client.Joined{Room: "zoo"}), "zoo"},
		"general":                {State{}.WithRooms(books).Open("typo"), "general"},
		"general, not known yet": {State{}.Open("typo"), "general"},
	} {
		if s := c.s.Forget("typo"); s.Active != c.want || s.Room("typo") != nil || s.Previous != "" {
			t.Errorf("%s: in #%s, before #%s", name, s.Active, s.Previous)
		}
	}
	if s := (State{}).WithRooms(books[:1]).Open("general").Forget("general"); s.Active != "general" || s.Current() == nil {
		t.Errorf("without a general: in #%s", s.Active)
	}
}
