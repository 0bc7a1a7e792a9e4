package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
)

func freezeNemeses() []Nemesis {
	return []Nemesis{
		{Name: "zombie", Least: time.Second, Most: 3 * time.Second, Limits: silence, Others: others, Run: zombie("")},
		{Name: "zombie-before", Least: time.Second, Most: 3 * time.Second, Limits: silence, Others: others, Run: zombie("roomlog.append.beforeBegin")},
		{Name: "zombie-inside", Least: time.Second, Most: 3 * time.Second, Limits: frozen, Others: others, Run: zombie("roomlog.append.inTx")},
		{Name: "zombie-after", Least: time.Second, Most: 3 * time.Second, Limits: silence, Others: others, Run: zombie("roomlog.append.afterCommit")},
		{Name: "zombie-quiet", Least: time.Second, Most: 3 * time.Second, Limits: silence, Others: others, Run: zombieQuiet},
		{Name: "zombie-acquiring", Least: 5 * time.Second, Most: 7 * time.Second, Limits: frozen, Needs: needsThree, Run: zombieAcquiring},
		{Name: "stops", Least: 4 * time.Second, Most: 8 * time.Second, Limits: Limits{Max: longestStop + others.Max}, Others: others, Still: true, Run: stops},
		{Name: "slow", Least: 4 * time.Second, Most: 10 * time.Second, Limits: others, Others: others, Still: true, Run: slow},
	}
}

const (
	successorAcks = 100         // of the successor, before a zombie wakes
	wakesWithin   = time.Second // after which its sessions are elsewhere
	longestStop   = time.Second // that must go unnoticed
)

// zombie stops the hot room's owner, anywhere or at a place of its append, lets
// its successor acknowledge a hundred messages, and wakes it.
func zombie(place string) func(context.Context, *Episode) error {
	return func(ctx context.Context, e *Episode) error {
		hot := e.Load.Hot()
		p, err := e.OwnerOf(hot)
		if err != nil {
			return err
		}
		w, err := attend(ctx, e.Load, hot, "witness-"+e.ID)
		if err != nil {
			return e.Missed(fmt.Errorf("the witness: %w", err))
		}
		defer w.leave()
		if place == "" {
			err = p.Freeze(ctx)
		} else {
			err = p.FreezeAt(ctx, place, 5*time.Second)
		}
		if err != nil {
			p.Thaw()
			return e.Missed(err)
		}
		e.Began(p.Name)
		refused := strings.Count(p.Logged(), "append refused")
		p.MayEnd() // if it holds a file's lock its successor ends it by force
		defer p.MustLive()
		before := e.Load.Acked(hot)
		taken := until(ctx, e.takeOver(), "successor that has acknowledged a hundred messages", func() bool {
			return e.Load.Owner(hot) != p.Name && e.Load.Acked(hot) >= before+successorAcks
		})
		pass(ctx, e.Length)
		p.Thaw()
		if taken != nil {
			return taken
		}
		return e.woken(ctx, p, w, place, refused)
	}
}

// woken checks what a zombie does within its first seconds.
func (e *Episode) woken(ctx context.Context, p *Process, w *witness, place string, refused int) error {
	start := time.Now()
	if !w.sentWithin(wakesWithin+e.slack()) && p.Alive() {
		return fmt.Errorf("I7 honest owner: %s woke and its session in #%s was not sent elsewhere within %s", p.Name, w.room, wakesWithin)
	}
	e.Note("%s woke, its session was gone after %s (%v)", p.Name, time.Since(start).Round(time.Millisecond), w.why)
	switch {
	case !p.Alive():
		e.Note("%s had been ended by force", p.Name)
		_, err := e.Cluster.StartShard(p.Name)
		return err
	case place == "roomlog.append.beforeBegin":
		err := until(ctx, 2*wakesWithin, "refused append of "+p.Name+", which stood before it", func() bool {
			return strings.Count(p.Logged(), "append refused") > refused
		})
		if err != nil {
			return fmt.Errorf("I6 one writer: %w", err)
		}
	}
	return nil
}

// slack is what a loaded machine, or an episode beside this one, may add to a
// figure that is checked at once.
func (e *Episode) slack() time.Duration {
	if e.alone {
		return 500 * time.Millisecond
	}
	return 3 * time.Second
}

// takeOver bounds the wait for a successor; beside other episodes the log may
// have to elect leaders first.
func (e *Episode) takeOver() time.Duration {
	if e.alone {
		return 12 * time.Second
	}
	return 25 * time.Second
}

// zombieQuiet stops the owner of a room in which nobody but others, through its
// successor, writes: no append of its own tells it what it is.
func zombieQuiet(ctx context.Context, e *Episode) error {
	room := e.Load.newQuiet("quiet-" + e.ID)
	if err := e.Load.create(ctx, room); err != nil {
		return err
	}
	w, err := attend(ctx, e.Load, room, "witness-"+e.ID)
	if err != nil {
		return e.Missed(fmt.Errorf("the witness: %w", err))
	}
	defer w.leave()
	p, err := e.OwnerOf(room)
	if err != nil {
		return err
	}
	s, err := e.Load.connect(ctx, "writer-"+e.ID)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // never fails
	drop(s)
	if err := p.Freeze(ctx); err != nil {
		return err
	}
	defer p.Thaw()
	e.Began(p.Name)
	p.MayEnd() // as zombie
	defer p.MustLive()
	limited, cancel := context.WithTimeout(ctx, e.takeOver())
	defer cancel()
	if err := s.Join(limited, room, nil); err != nil {
		return fmt.Errorf("join the room of a frozen owner: %w", err)
	}
	for i := range successorAcks {
		content := fmt.Sprint("quiet ", i)
		m, err := s.Send(limited, room, content)
		if err != nil {
			return fmt.Errorf("message %d through the successor: %w", i+1, err)
		}
		// Nobody reads the room but the frozen one: the order of these lines is
		// that of the sends all the same.
		e.Load.log.Add(checker.Event{Kind: checker.Send, Room: room, Who: s.User(), ID: m.ID, Hash: checker.Hash(content)})
		e.Load.log.Add(checker.Event{Kind: checker.Ack, Room: room, Who: s.User(), ID: m.ID, Seq: m.Seq, Epoch: m.Epoch})
	}
	pass(ctx, e.Length)
	p.Thaw()
	return e.woken(ctx, p, w, "", 0)
}

// zombieAcquiring stops a successor while it takes over: whoever takes the
// rooms from it must not wait for it.
func zombieAcquiring(ctx context.Context, e *Episode) error {
	p, q, err := e.hotAndAnother()
	if err != nil {
		return err
	}
	place := e.acquiring()
	q.MayEnd() // as zombie
	defer q.MustLive()
	e.Began(p.Name, q.Name)
	p.Kill()
	hit := q.FreezeAt(ctx, place, 4*time.Second)
	struck := time.Now()
	free := until(ctx, e.takeOver(), "room that is writable again", func() bool { return len(e.Load.notWritable(struck)) == 0 })
	e.Note("%s stood at %s; all rooms were writable %s later", q.Name, place, time.Since(struck).Round(time.Millisecond))
	pass(ctx, e.Length-time.Since(struck))
	q.Thaw()
	_, again := e.Cluster.StartShard(p.Name)
	pass(ctx, time.Second)
	if !q.Alive() {
		e.Note("%s had been ended by force", q.Name)
		_, err = e.Cluster.StartShard(q.Name)
	}
	return errors.Join(e.Missed(hit), free, again, err)
}

// stops stops a shard for moments that must go unnoticed.
func stops(ctx context.Context, e *Episode) error {
	p, err := e.Shard()
	if err != nil {
		return err
	}
	watched := e.watchTables(ctx, p)
	e.Began(p.Name)
	for end := time.Now().Add(e.Length); time.Now().Before(end) && ctx.Err() == nil; {
		d := 200*time.Millisecond + time.Duration(e.Rand.Int64N(int64(longestStop-200*time.Millisecond)))
		start := time.Now()
		if err := p.Freeze(ctx); err != nil {
			p.Thaw()
			return err
		}
		pass(ctx, d)
		p.Thaw()
		e.Note("stopped for %s", time.Since(start).Round(time.Millisecond))
		pass(ctx, 500*time.Millisecond+time.Duration(e.Rand.Int64N(int64(time.Second))))
	}
	return watched()
}

// slow lets something else use all processors.
func slow(ctx context.Context, e *Episode) error {
	watched := e.watchTables(ctx)
	e.Began("all")
	var burners []*exec.Cmd
	defer func() {
		for _, b := range burners {
			b.Process.Kill() //nolint:errcheck // it may have ended
			b.Wait()         //nolint:errcheck // killed
		}
	}()
	for range runtime.NumCPU() {
		b := exec.Command("sh", "-c", "while :; do :; done")
		endWithParent(b)
		if err := b.Start(); err != nil {
			return err
		}
		burners = append(burners, b)
	}
	pass(ctx, e.Length)
	return watched()
}

// watchTables looks at the tables of all shards but some until the returned
// function is called, which says if one changed meanwhile.
func (e *Episode) watchTables(ctx context.Context, but ...*Process) func() error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var changes []string
	for _, p := range e.Cluster.Live("shard") {
		if slices.Contains(but, p) {
			continue
		}
		wg.Go(func() {
			last := ""
			for ; ctx.Err() == nil; pass(ctx, 50*time.Millisecond) {
				now, err := e.Cluster.tableOf(ctx, p.Client)
				if err != nil {
					continue // slow, or killed by an episode beside this one
				}
				if last != "" && now != last {
					mu.Lock()
					changes = append(changes, p.Name)
					mu.Unlock()
				}
				last = now
			}
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		if len(changes) > 0 && e.alone {
			return fmt.Errorf("tables changed (at %v): somebody was taken for dead", changes)
		}
		return nil
	}
}
