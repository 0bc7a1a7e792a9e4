package shard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog/memlog"
)

// left leaves a room and waits until that is so.
func (c *talker) left(room string) {
	c.t.Helper()
	c.say(comms.LeaveRoom{Room: room})
	if e, ok := c.next().(comms.RoomLeft); !ok {
		c.t.Fatalf("got %+v", e)
	}
}

// follow applies what a member is told to the list that it was given, until
// the list is want.
func (c *talker) follow(list []string, want ...string) {
	c.t.Helper()
	for !slices.Equal(list, want) {
		p := c.told()
		list = slices.DeleteFunc(append(list, p.Joined...), func(u string) bool { return slices.Contains(p.Left, u) })
		slices.Sort(list)
		list = slices.Compact(list)
	}
}

// TestWhoComesBetweenAChangeAndItsNotice: the list that a newcomer is given
// shows changes of which the members are told later, or, if they are undone
// until then, never.
func TestWhoComesBetweenAChangeAndItsNotice(t *testing.T) {
	addr, _ := serve(t)
	t.Run("somebody is away for a moment", func(t *testing.T) {
		x, y := login(t, addr, "xenia"), login(t, addr, "yves")
		x.join("go", nil)
		x.told()
		x.left("go")
		list := y.join("go", nil).Users
		x.join("go", nil)
		y.follow(list, "xenia", "yves")
	})
	t.Run("somebody is here for a moment", func(t *testing.T) {
		x, y, z := login(t, addr, "xaver"), login(t, addr, "yusuf"), login(t, addr, "zoe")
		x.join("tea", nil)
		list := y.join("tea", nil).Users
		x.left("tea")
		z.join("tea", nil)
		y.follow(list, "yusuf", "zoe")
	})
}

// TestCrowdGoesInSeveralNotices: the names of a very large crowd do not fit
// into one event.
func TestCrowdGoesInSeveralNotices(t *testing.T) {
	server := serverOn(t, memlog.NewStore().Open())
	ada := login(t, server.opts.Listener.Addr().String(), "ada")
	ada.join("go", nil)
	ada.told()
	const crowd = 40_000
	p := server.held(membership.Partition("go"))
	p.mu.Lock()
	for i := range crowd { // moved here with the room, and did not come back
		u := fmt.Sprintf("somebody-with-a-long-name-%06d", i)
		p.rooms["go"].show(u, true)
		p.keep("go", u, time.Now())
	}
	p.mu.Unlock()
	for count, left := crowd+1, 0; count > 1; {
		e, err := ada.conn.ReadEvent()
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case comms.Presence:
			if count, left = e.Count, left+len(e.Left); len(e.Left) > comms.MaxUsersListed {
				t.Errorf("%d names in one event", len(e.Left))
			}
		case comms.PresenceList: // in place of what a ring cannot keep until it is read
			count, left = e.Count, crowd+1-e.Count
		}
		if count != crowd+1-left {
			t.Fatalf("%d have left, the count is %d", left, count)
		}
	}
}
