package fanout

import (
	"runtime"
	"slices"
	"sync"
)

// crowd is how many members a ring has that threads walk. Of 100, twenty-four
// rings in full swing were served for a fifth less that way, as more went with
// one write, but one ring that was quiet cost a twelfth more, a third later.
const crowd = 256

// share is how many members of a ring a thread visits before the other rings
// that wait have their turn.
const share = 512

// crowds are the rings whose members are visited by threads that do nothing
// else: large ones, and those that have more after each of several walks. A walk
// of a thousand members takes milliseconds, and a thread that has used its
// processor for long is kept waiting by the kernel when it wants one again
// (Linux: EEVDF, by its lag). Were it one of those on which the runtime continues
// any session, small rooms' messages would wait with it: beside a room of a
// thousand their p99 was twice as long. There are fewer threads than processors,
// if there are two or more: the sessions always have one.
type crowds struct {
	pool *Pool

	mu      sync.Mutex // below a Ring's mu, above the pool's
	more    sync.Cond
	waiting []*Ring // each at most once
	threads int
	idle    int
	over    bool
}

// add has threads walk r, unless it waits already; its mu is held. false: there
// are none any more.
func (c *crowds) add(r *Ring) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || r.queued {
		return !c.over
	}
	if len(c.waiting) >= c.idle && c.threads < max(1, runtime.GOMAXPROCS(0)-1) && c.pool.run(c.walk) {
		c.threads++
	}
	if c.threads == 0 {
		return false
	}
	r.queued = true
	c.waiting = append(c.waiting, r)
	c.more.Signal()
	return true
}

// next waits for a ring; nil at the end. With one, that one waits again, behind
// those that do already.
func (c *crowds) next(again *Ring) *Ring {
	c.mu.Lock()
	defer c.mu.Unlock()
	if again != nil {
		c.waiting = append(c.waiting, again)
	}
	for len(c.waiting) == 0 && !c.over {
		c.idle++
		c.more.Wait()
		c.idle--
	}
	if c.over {
		return nil
	}
	r := c.waiting[0]
	c.waiting = slices.Delete(c.waiting, 0, 1)
	return r
}

// walk is a thread.
func (c *crowds) walk() {
	runtime.LockOSThread() // it ends with the goroutine
	var again *Ring
	for r := c.next(nil); r != nil; r = c.next(again) {
		again = nil
		r.mu.Lock()
		r.queued = false
		if len(r.ahead) >= share+crowd {
			c.add(r) // there is work for two
		}
		r.walkOn(share)
		if len(r.ahead) > 0 && !r.queued {
			r.queued, again = true, r
		}
		r.mu.Unlock()
	}
}

// end ends the threads. What waits is not walked any more.
func (c *crowds) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.more.Broadcast()
}
