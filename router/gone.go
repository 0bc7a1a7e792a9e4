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

// superseded lists the boots that the connection was told of for rooms that
// the table gives to others.
func (c *conn) superseded(table *membership.Table) (boots []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for room, boot := range c.located {
		if now, ok := table.Owner(membership.Partition(room)); ok && now.Boot != boot && !slices.Contains(boots, boot) {
			boots = append(boots, boot)
		}
	}
	return boots
}

// move tells where the rooms of those who are gone are from now on.
func (c *conn) move(table *membership.Table, gone map[string]bool, spread int64) {
	moved := map[int]*comms.RoomMoved{}
	c.mu.Lock()
	for room, boot := range c.located {
		p := membership.Partition(room)
		now, ok := table.Owner(p)
		if !ok || now.Boot == boot || !gone[boot] {
			continue
		}
		c.located[room] = now.Boot
		if moved[p] == nil {
			moved[p] = &comms.RoomMoved{Partition: p, Shard: now.Name, Addr: now.Client, Spread: spread}
		}
		moved[p].Rooms = append(moved[p].Rooms, room)
	}
	user := c.user
	c.mu.Unlock()
	for _, m := range moved {
		ticket, expires := c.router.opts.Keys.Issue(comms.AsClient, user, time.Now())
		m.Ticket, m.Expires = ticket, expires.UnixMilli()
		c.send(*m)
	}
}
