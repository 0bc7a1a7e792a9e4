package twin

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// Options configures a run.
type Options struct {
	Defect Defect       // planted in the log; empty: none
	Logger *slog.Logger // of all processes and clients
}

// Result is what a run showed.
type Result struct {
	Seed     uint64
	Digest   uint64 // of the history: equal for equal runs
	Start    uint64 // where its process began; set by the child
	Breaches []string
	Schedule []string `json:",omitempty"`
	Lines    []string `json:",omitempty"`

	Sent, Acked, Delivered, Moves, Redirects int
	Appends, Fenced, Refused, Unknown        int64
	Acquired                                 int64
	Simulated                                time.Duration

	// Set by who ran it.
	Seeded    bool          `json:"-"` // the runtime's randomness, too: the run can be replayed
	Took, CPU time.Duration `json:"-"` // of the process
}

const (
	settleFor   = 20 * time.Second // for all to be well again after the last fault (I12)
	afterFaults = 500 * time.Millisecond
)

// Run does one run. It must be called in a testing/synctest bubble.
func Run(seed uint64, opts Options) *Result {
	start := time.Now()
	c := newCluster(seed, opts)
	schedule := plan(rand.New(rand.NewPCG(seed, 3)))
	res := &Result{Seed: seed}
	for _, f := range schedule {
		res.Schedule = append(res.Schedule, f.String())
	}
	done := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() { c.gossip.run(done) })
	trouble := c.play(schedule)
	c.stop()
	close(done)
	background.Wait()
	c.history.mu.Lock()
	c.history.ended = true
	c.history.mu.Unlock()
	report := c.history.checker.Finish()
	if trouble != nil {
		res.Breaches = append(res.Breaches, "I12 converges: "+trouble.Error())
	}
	for _, b := range report.Breaches {
		res.Breaches = append(res.Breaches, b.String())
	}
	res.Digest, res.Lines = c.history.digest, c.history.lines
	res.Sent, res.Acked, res.Delivered, res.Moves, res.Redirects = report.Sent, report.Acked, report.Delivered, report.Moves, report.Redirects
	res.Appends, res.Fenced, res.Refused, res.Unknown = c.counts.appends.Load(), c.counts.fenced.Load(), c.counts.refused.Load(), c.counts.unknown.Load()
	res.Acquired = c.counts.acquired.Load()
	res.Simulated = time.Since(start)
	return res
}

// play is the run itself: people talk, faults come and go, all must be well in
// the end.
func (c *cluster) play(schedule []fault) error {
	if err := c.boot(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var people sync.WaitGroup
	defer func() {
		cancel()
		people.Wait()
		for _, u := range c.users {
			u.leave()
		}
	}()
	talking, hush := context.WithCancel(ctx)
	defer hush()
	if err := c.people(ctx, talking, &people); err != nil {
		return err
	}
	c.faults(schedule)
	c.heal()
	if err := c.until("the end of what was told to end", settleFor, c.nobodyEnds); err != nil {
		return err
	}
	c.complete()
	time.Sleep(afterFaults)
	hush()
	people.Wait()
	for _, u := range c.users {
		if u.writes {
			for i := range quietRooms {
				if u.name == fmt.Sprint("q", i) {
					u.post(fmt.Sprint("quiet-", i), "the last word")
				}
			}
		}
	}
	if err := c.until("an answer to every message", settleFor, func() bool { return c.firstFailure() != nil || c.unanswered() == 0 }); err != nil {
		return fmt.Errorf("%w: %d are missing", err, c.unanswered())
	}
	if err := c.firstFailure(); err != nil {
		return err
	}
	if err := c.until("one table", settleFor, c.agree); err != nil {
		return err
	}
	return c.readAll(ctx)
}

// people starts those who talk and those who read.
func (c *cluster) people(ctx, talking context.Context, wg *sync.WaitGroup) error {
	rng := rand.New(rand.NewPCG(c.seed, 4))
	entering, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	add := func(name string, writes bool) *user {
		u := c.user(name, writes, len(c.users))
		c.users = append(c.users, u)
		return u
	}
	var busy []string
	for i := range busyRooms {
		busy = append(busy, c.rooms[i].Name)
	}
	for i, room := range busy {
		for n := range 2 {
			u := add(fmt.Sprintf("w%d-%d", i, n), true)
			rooms := []string{room}
			if n == 0 {
				rooms = append(rooms, busy[(i+1)%busyRooms])
			}
			if err := u.enter(entering, rooms...); err != nil {
				return err
			}
			for _, r := range rooms {
				every := 100*time.Millisecond + time.Duration(rng.Int64N(int64(600*time.Millisecond)))
				wg.Go(func() { u.write(talking, r, every) })
			}
		}
	}
	for i := range quietRooms {
		u := add(fmt.Sprint("q", i), true)
		room := fmt.Sprint("quiet-", i)
		if err := u.enter(entering, room); err != nil {
			return err
		}
		u.post(room, "the first word")
	}
	all := add("reader", false)
	if err := all.enter(entering, append(busy, "quiet-0", "quiet-1", "quiet-2")...); err != nil {
		return err
	}
	guest := add("guest", false)
	if err := guest.enter(entering, busy[:3]...); err != nil {
		return err
	}
	wg.Go(func() { guest.comeAndGo(talking, busy[:3]...) })
	return nil
}

// faults plays the schedule. All is done in this goroutine but for the ends of
// faults that wait.
func (c *cluster) faults(schedule []fault) {
	type ending struct {
		at   time.Duration
		kind string
		do   func()
	}
	start := time.Now()
	var endings []ending
	to := func(at time.Duration) {
		if d := at - time.Since(start); d > 0 {
			time.Sleep(d)
		}
	}
	finish := func(until time.Duration) {
		for {
			first := -1
			for i, e := range endings {
				if e.at <= until && (first < 0 || e.at < endings[first].at) {
					first = i
				}
			}
			if first < 0 {
				return
			}
			e := endings[first]
			endings = append(endings[:first], endings[first+1:]...)
			to(e.at)
			e.do()
			c.history.add(checker.Event{Kind: checker.Heal, Who: e.kind})
		}
	}
	for _, f := range schedule {
		finish(f.at)
		to(f.at)
		if end := c.do(f); end != nil {
			endings = append(endings, ending{f.at + f.length, f.kind, end})
		}
	}
	finish(time.Hour)
}

func (c *cluster) unanswered() int {
	n := 0
	for _, u := range c.users {
		n += u.unanswered()
	}
	return n
}

func (c *cluster) firstFailure() error {
	for _, u := range c.users {
		u.mu.Lock()
		err := u.failed
		u.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// readAll reads the histories as a fresh client, and waits for the readers to
// have all of them.
func (c *cluster) readAll(ctx context.Context) error {
	fresh := c.user("fresh", true, len(c.users))
	c.users = append(c.users, fresh)
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := fresh.enter(ctx); err != nil {
		return err
	}
	heads := map[string]uint64{}
	for _, room := range c.rooms {
		var n uint64
		for {
			page, err := fresh.session.History(ctx, comms.History{Room: room.Name, From: n + 1, Limit: comms.MaxPage})
			if err != nil {
				return fmt.Errorf("the history of %s: %w", room.Name, err)
			}
			for _, r := range page.Records {
				n++
				c.history.add(checker.Event{Kind: checker.Final, Room: room.Name, ID: r.ID, Seq: r.Seq, Epoch: r.Epoch, Author: r.User, Hash: checker.Hash(r.Content)})
			}
			if !page.More {
				break
			}
		}
		heads[room.Name] = n
		c.history.add(checker.Event{Kind: checker.Read, Room: room.Name, Seq: n})
	}
	for _, u := range c.users {
		if u.writes {
			continue
		}
		for _, room := range c.rooms {
			if err := c.until(u.name+" has all of "+room.Name, settleFor, func() bool { return u.has(room.Name, heads[room.Name]) }); err != nil {
				return err
			}
			if _, in := u.at[room.Name]; in {
				c.history.add(checker.Event{Kind: checker.End, Room: room.Name, Who: u.name})
			}
		}
	}
	return nil
}
