package twin

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/membership"
)

// faultsFor is in which time after the start faults begin.
const faultsFor = 10 * time.Second

// fault is one entry of a schedule.
type fault struct {
	at     time.Duration
	length time.Duration
	kind   string
	draw   uint64 // decides the rest: targets, places, kinds
}

// kinds of faults; those named twice come twice as often.
var kinds = []string{
	"kill", "kill", "kill dark", "kill two", "freeze", "freeze", "freeze in append", "freeze in append", "freeze in acquire", "freeze in beat",
	"short freeze", "freeze and kill", "kill in append", "kill in acquire", "drain", "drain", "join", "double", "restart at once",
	"isolate", "one way", "shard from shard", "clients from shard", "routers from shards", "gossip", "halves",
	"log cut", "log cut for all", "log slow", "log slow for all", "log refuses", "log loses answers", "log loses all answers", "slow link", "router", "all routers",
}

// plan draws a schedule.
func plan(rng *rand.Rand) []fault {
	n := 3 + rng.IntN(7)
	list := make([]fault, n)
	for i := range list {
		list[i] = fault{
			at:     time.Duration(rng.Int64N(int64(faultsFor))),
			length: 200*time.Millisecond + time.Duration(rng.Int64N(int64(4*time.Second))),
			kind:   kinds[rng.IntN(len(kinds))],
			draw:   rng.Uint64(),
		}
	}
	slices.SortFunc(list, func(a, b fault) int { return int(a.at - b.at) })
	return list
}

func (f fault) String() string {
	return fmt.Sprintf("%7.3fs %6.3fs %s", f.at.Seconds(), f.length.Seconds(), f.kind)
}

// target draws the shard that a fault is about: the owner of the first busy
// room every other time.
func (c *cluster) target(rng *rand.Rand) *process {
	list := c.living(membership.RoleShard)
	if len(list) == 0 {
		return nil
	}
	p := list[rng.IntN(len(list))]
	if rng.IntN(2) == 0 {
		if owner := c.ownerOf(c.rooms[0].Name); owner != nil {
			return owner
		}
	}
	return p
}

// do begins a fault and returns what ends it, which may be nil.
func (c *cluster) do(f fault) (end func()) {
	rng := rand.New(rand.NewPCG(f.draw, 0))
	p := c.target(rng)
	if p == nil {
		return nil
	}
	c.history.add(checker.Event{Kind: checker.Fault, Who: f.kind, Code: p.name})
	again := func(name, at string) func() {
		return func() {
			if c.current[name] == p || !c.current[name].alive() {
				c.begin(name, membership.RoleShard, at)
			}
		}
	}
	at := ""
	if rng.IntN(2) == 0 {
		at = p.addr()
	}
	freeze := func(op string) func() {
		p.log.arm(&window{op: op, after: rng.IntN(2) == 0, do: p.host.freeze})
		return p.host.thaw
	}
	switch f.kind {
	case "kill":
		p.kill(false)
		return again(p.name, at)
	case "kill dark":
		p.kill(true)
		return again(p.name, "")
	case "kill two":
		p.kill(false)
		if q := c.target(rng); q != nil {
			q.kill(false)
		}
		return c.complete
	case "restart at once":
		p.kill(false)
		time.Sleep(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
		again(p.name, at)()
	case "freeze":
		p.host.freeze()
		return p.host.thaw
	case "short freeze":
		p.host.freeze()
		time.Sleep(time.Duration(rng.Int64N(int64(1200 * time.Millisecond))))
		p.host.thaw()
	case "freeze in append":
		return freeze(opAppend)
	case "freeze in acquire":
		return freeze(opAcquire)
	case "freeze in beat":
		return freeze(opBeat)
	case "freeze and kill":
		p.host.freeze()
		return func() {
			p.kill(false)
			again(p.name, at)()
		}
	case "kill in append", "kill in acquire":
		p.log.arm(&window{op: f.kind[len("kill in "):], after: rng.IntN(2) == 0, do: func() { p.kill(false) }})
		return func() {
			p.log.arm(nil)
			if p.host.isDead() {
				again(p.name, at)()
			}
		}
	case "drain":
		p.cancel()
		return func() {
			if !p.alive() { // else it is started again once all faults are over
				again(p.name, at)()
			}
		}
	case "join":
		name := fmt.Sprint("s", firstShards+1+rng.IntN(2))
		if q := c.current[name]; q != nil && q.alive() {
			q.cancel()
			return nil
		}
		c.begin(name, membership.RoleShard, "")
	case "double":
		return c.begin(p.name, membership.RoleShard, "").cancel
	default:
		return c.disturb(f.kind, p, rng)
	}
	return nil
}

// disturb begins a fault of the network or the log around p.
func (c *cluster) disturb(kind string, p *process, rng *rand.Rand) (end func()) {
	part := func(a, b []*host) func() {
		set := func(cut bool) {
			for _, x := range a {
				for _, y := range b {
					if x.ip == y.ip {
						continue
					}
					c.network.setCut(x.ip, y.ip, cut)
					if kind != "one way" {
						c.network.setCut(y.ip, x.ip, cut)
					}
				}
			}
		}
		set(true)
		return func() { set(false) }
	}
	trouble1 := func(t trouble) func() {
		p.log.set(t)
		return func() { p.log.set(trouble{}) }
	}
	troubleAll := func(t trouble) func() {
		list := c.living("")
		for _, q := range list {
			q.log.set(t)
		}
		return func() {
			for _, q := range list {
				q.log.set(trouble{})
			}
		}
	}
	own := []*host{p.host}
	switch kind {
	case "isolate":
		return part(own, c.hosts(true, true, true))
	case "one way":
		if rng.IntN(2) == 0 {
			return part(c.hosts(true, true, true), own)
		}
		return part(own, c.hosts(true, true, true))
	case "shard from shard":
		if q := c.target(rng); q != nil {
			return part(own, []*host{q.host})
		}
	case "clients from shard":
		return part(own, c.hosts(false, false, true))
	case "routers from shards":
		return part(c.hosts(true, false, false), c.hosts(false, true, false))
	case "halves":
		var a, b []*host
		for _, h := range c.hosts(true, true, rng.IntN(2) == 0) {
			if rng.IntN(2) == 0 {
				a = append(a, h)
			} else {
				b = append(b, h)
			}
		}
		return part(a, b)
	case "gossip":
		c.gossip.cut(p.gossip, true)
		return func() { c.gossip.cut(p.gossip, false) }
	case "log cut":
		return trouble1(trouble{cut: true})
	case "log cut for all":
		return troubleAll(trouble{cut: true})
	case "log slow":
		return trouble1(trouble{slow: 500 * time.Millisecond})
	case "log slow for all":
		return troubleAll(trouble{slow: 200 * time.Millisecond})
	case "log refuses":
		return trouble1(trouble{refused: 0.4})
	case "log loses answers":
		return trouble1(trouble{unknown: 0.4})
	case "log loses all answers":
		return troubleAll(trouble{unknown: 0.3, refused: 0.1})
	case "slow link":
		c.network.setSlow(p.host.ip, time.Duration(rng.Int64N(int64(200*time.Millisecond))))
		return func() { c.network.setSlow(p.host.ip, 0) }
	case "router", "all routers":
		for i := range routers {
			if kind == "all routers" || i == int(rng.IntN(routers)) {
				c.current[fmt.Sprint("r", i+1)].kill(false)
			}
		}
		return c.complete
	}
	return nil
}

// hosts lists those of living routers, of living shards, and of people.
func (c *cluster) hosts(routers, shards, people bool) []*host {
	var list []*host
	for _, p := range c.living("") {
		if routers && p.role == membership.RoleRouter || shards && p.role == membership.RoleShard {
			list = append(list, p.host)
		}
	}
	for _, u := range c.users {
		if people {
			list = append(list, u.host)
		}
	}
	return list
}
