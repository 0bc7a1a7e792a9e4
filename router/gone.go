package router

import (
	"context"
	"slices"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
)

// crashSpread is over how long the clients of a crashed shard come back.
func crashSpread(clients int) int64 { return min(int64(clients)/5, 2000) }

// watchGone tells connections when the shard of a room they asked for is gone.
func (r *Router) watchGone(ctx context.Context) {
	changed, stop := r.opts.Gossip.Watch()
	defer stop()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
		table := r.opts.Gossip.Table()
		gone := map[string]bool{}
		r.mu.Lock()
		conns := make([]*conn, 0, len(r.conns))
		for c := range r.conns {
			conns = append(conns, c)
		}
		r.mu.Unlock()
		for _, c := range conns {
			// Judging reads the room log, which may take its time: nothing that
			// the connection asks may wait for it.
			for _, boot := range c.superseded(table) {
				if _, known := gone[boot]; !known {
					gone[boot] = r.opts.Gone(boot)
				}
			}
			c.move(table, gone, crashSpread(len(conns)))
		}
	}
}

// located is a room that a connection asked for: it is told when the shard is gone.
type located struct {
	boot  string // of the shard that we named, or the connection did
	told  bool   // the connection did: it is served there, and not only asked
	asked uint64 // which question it was
}

// watch remembers a room, if need be in the place of the one that was asked for
// longest ago, of those first that the connection is not known to be served.
func (c *conn) watch(room, boot string, told bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	now, known := c.located[room]
	if !known && len(c.located) >= maxLocated {
		delete(c.located, c.leastLocated())
	}
	c.located[room] = located{boot, told || now.told, c.asked}
}

// leastLocated is the room to forget first. The caller holds mu.
func (c *conn) leastLocated() (room string) {
	var least located
	for name, l := range c.located {
		if room == "" || !l.told && least.told || l.told == least.told && l.asked < least.asked {
			room, least = name, l
		}
	}
	return room
}

// superseded lists the boots that the connection was told of for rooms that
// the table gives to others.
func (c *conn) superseded(table *membership.Table) (boots []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for room, l := range c.located {
		if now, ok := table.Owner(membership.Partition(room)); ok && now.Boot != l.boot && !slices.Contains(boots, l.boot) {
			boots = append(boots, l.boot)
		}
	}
	return boots
}

// move tells where the rooms of those who are gone are from now on.
func (c *conn) move(table *membership.Table, gone map[string]bool, spread int64) {
	moved := map[int]*comms.RoomMoved{}
	c.mu.Lock()
	for room, l := range c.located {
		p := membership.Partition(room)
		now, ok := table.Owner(p)
		if !ok || now.Boot == l.boot || !gone[l.boot] {
			continue
		}
		l.boot = now.Boot
		c.located[room] = l
		if moved[p] == nil {
			moved[p] = &comms.RoomMoved{Partition: p, Shard: now.Name, Addr: now.Client, Spread: spread}
		}
		moved[p].Rooms = append(moved[p].Rooms, room)
	}
	user := c.user
	c.mu.Unlock()
	if len(moved) == 0 {
		return
	}
	ticket, expires := c.router.opts.Keys.Issue(comms.AsClient, user, time.Now())
	var events []comms.Event
	for _, m := range moved {
		m.Ticket, m.Expires = ticket, expires.UnixMilli()
		events = append(events, *m)
	}
	c.send(events...) // together: there may be more of them than a connection's queue holds
}
