package ownership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/shard/roomlog"
)

const (
	beatEvery  = 500 * time.Millisecond
	lookEvery  = 100 * time.Millisecond // at the roll, while gossip is uneasy
	silentFor  = time.Second            // between two reads of an unchanged heartbeat
	enrollWait = 5 * time.Second
	wantedFor  = 2 * time.Second // a want is stated for so long after the last client that asked
	freshFor   = time.Second     // after a heartbeat, within which an owner need not read its records again
)

// CensusOptions configures a Census.
type CensusOptions struct {
	Logger *slog.Logger
	Alive  func(boot string) bool // gossip's view (membership.Cluster.Alive); needed
	Uneasy func() bool            // whether gossip misses answers just now; nil means never
}

// Census keeps this process's entry on the roll and judges who is gone. Shards
// and routers have one each.
type Census struct {
	log    roomlog.Log
	self   roomlog.Process
	alive  func(string) bool
	uneasy func() bool
	logger *slog.Logger
	away   *roomlog.Outage
	began  time.Time              // when it was made
	wall   func(time.Time) int64  // wallOf; tests set it
	last   atomic.Pointer[moment] // start of the last successful heartbeat; nil if none

	turn   chan struct{} // one slot, held by a heartbeat or a strike under way
	hurry  chan struct{} // one slot: the next heartbeat has something new to say
	heard  chan struct{} // one slot: Run has read the roll
	struck atomic.Bool

	// unbroken is the start, as ran has it, of the current run of heartbeats without
	// a gap in which others could have deposed us. Stored before last.
	unbroken atomic.Int64

	mu    sync.Mutex
	seen  map[string]sighting
	wants map[int]wish

	roll   []roomlog.Entry // as it was read last; nobody changes it
	rollAt time.Time       // when that read began
}

// sighting is the last change of an entry's heartbeat as this process saw it.
type sighting struct {
	beat    uint64
	changed time.Time // end of the first read with this beat
	latest  time.Time // start of the last read with this beat
	lives   bool      // another beat was read before: somebody is beating
}

// NewCensus makes a Census for p on log.
func NewCensus(log roomlog.Log, p roomlog.Process, opts CensusOptions) *Census {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Uneasy == nil {
		opts.Uneasy = func() bool { return false }
	}
	return &Census{log: log, self: p, alive: opts.Alive, uneasy: opts.Uneasy, logger: opts.Logger, away: roomlog.NewOutage(opts.Logger, "cut off from the log: heartbeats fail; it is asked again", "back at the log: heartbeats go through again"), began: time.Now(), wall: wallOf,
		turn: make(chan struct{}, 1), hurry: make(chan struct{}, 1), heard: make(chan struct{}, 1), seen: map[string]sighting{}, wants: map[int]wish{}}
}

// Enroll puts this process on the roll once no other living boot has its name;
// it waits up to 5 s for that and then returns an error naming who has it. It
// strikes off who was killed here: a name at random never comes again.
func (c *Census) Enroll(ctx context.Context) error {
	deadline := time.Now().Add(enrollWait)
	for {
		entries, err := c.read(ctx)
		if err != nil {
			return err
		}
		var holder *roomlog.Entry
		for i, e := range entries {
			if e.Boot == c.self.Boot {
				continue
			}
			if e.Name != c.self.Name {
				// Gossip too: a system may hide the processes of other users.
				if known, gone := roomlog.ProcessGone(e.OS); known && gone && !c.alive(e.Boot) {
					c.log.Strike(ctx, e.Boot) //nolint:errcheck // the next who comes does it
				}
				continue
			}
			if c.alive(e.Boot) || !c.silent(e, false) {
				holder = &entries[i]
				continue
			}
			if err := c.log.Strike(ctx, e.Boot); err != nil {
				return err
			}
		}
		if holder == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the name %q belongs to a living process (pid %d, %s): choose another --name, or stop it first", c.self.Name, holder.OS.PID, holder.Client)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	if err := c.log.Register(ctx, c.self); err != nil {
		return err
	}
	return c.beat(ctx) // of several that start at once the newest finds itself alone
}

// Run beats every 500 ms, which reads the roll too, until ctx ends; while
// gossip hears too little, it reads more often. It returns an error
// wrapping roomlog.ErrNameTaken if a newer boot has the name: the caller must exit.
func (c *Census) Run(ctx context.Context) error {
	for {
		due := time.Now().Add(beatEvery)
		err := c.beat(ctx)
		switch {
		case c.struck.Load():
			<-ctx.Done() // that the entry is not there any more is our own doing
			return ctx.Err()
		case errors.Is(err, roomlog.ErrNameTaken):
			return err
		}
		c.away.Note(err)
		if err := c.rest(ctx, due); err != nil {
			return err
		}
	}
}

// rest waits until due, or until there is something to say. A holder that
// nobody reaches has the roll alone to learn from what others want of it.
func (c *Census) rest(ctx context.Context, due time.Time) error {
	for {
		left := time.Until(due)
		if left > lookEvery && c.uneasy() {
			left = lookEvery
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.hurry:
			return nil
		case <-time.After(left):
		}
		if !time.Now().Before(due) {
			return nil
		}
		if _, err := c.read(ctx); err != nil {
			c.logger.Debug("read the roll", "err", err)
		}
		mark(c.heard)
	}
}

// mark fills a slot of one that a loop waits at; what is marked already stays so.
func mark(slot chan struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

func (c *Census) beat(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.struck.Load() {
		return nil
	}
	start := c.now()
	c.mu.Lock()
	var wants []int
	for p, w := range c.wants {
		if w.until.Before(start.at) {
			delete(c.wants, p)
			continue
		}
		wants = append(wants, p)
	}
	c.mu.Unlock()
	slices.Sort(wants)
	entries, err := c.log.Beat(ctx, c.self.Boot, wants)
	if err != nil {
		return err
	}
	c.note(entries, start.at)
	mark(c.heard)
	if c.sinceBeat() > freshFor {
		c.unbroken.Store(c.ran(start))
	}
	c.last.Store(&start)
	return nil
}

// read notes every entry's heartbeat. A read may take long, if this process
// stands still in it: silence lasts from the end of one to the start of another.
func (c *Census) read(ctx context.Context) ([]roomlog.Entry, error) {
	start := time.Now()
	entries, err := c.log.Entries(ctx)
	if err != nil {
		return nil, err
	}
	c.note(entries, start)
	return entries, nil
}

// note remembers what a read of the roll that began at start has found.
func (c *Census) note(entries []roomlog.Entry, start time.Time) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		s, ok := c.seen[e.Boot]
		if start.Before(s.latest) {
			continue // another read, begun later, has ended sooner
		}
		if !ok || s.beat != e.Beat {
			s = sighting{beat: e.Beat, changed: now, lives: ok}
		}
		s.latest = start
		c.seen[e.Boot] = s
	}
	if !start.Before(c.rollAt) {
		c.roll, c.rollAt = entries, start
	}
}

// RollRead is marked whenever Run has read the roll.
func (c *Census) RollRead() <-chan struct{} { return c.heard }

// lastRoll is the roll as it was read last.
func (c *Census) lastRoll() []roomlog.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roll
}

// silent is rule (b): the process is known not to exist, or its heartbeat did
// not change between two reads, with one of our own successful in between (so
// that a log nobody can write does not depose everybody). Time in which our own
// heartbeats failed does not count: others' may have failed with them.
func (c *Census) silent(e roomlog.Entry, ownBeat bool) bool {
	if known, gone := roomlog.ProcessGone(e.OS); known && gone {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.seen[e.Boot]
	if !ok || s.beat != e.Beat || s.latest.Sub(s.changed) < silentFor {
		return false
	}
	if !ownBeat {
		return true
	}
	last, since := c.last.Load(), s.changed
	if unbroken := c.began.Add(time.Duration(c.unbroken.Load())); unbroken.After(since) {
		since = unbroken
	}
	return last != nil && s.latest.Sub(since) >= silentFor && last.at.After(since) && last.at.Before(s.latest)
}

// Gone reports whether boot is gone: (a) not alive for gossip, and (b) silent
// on the roll, not on it, or no process any more. Only the gone are deposed.
func (c *Census) Gone(boot string) bool {
	gone, _ := c.judge(boot)
	return gone
}

// judge tells whether boot is gone, and whether its heartbeat at least stands
// still: then it answers nobody, and may soon be gone.
func (c *Census) judge(boot string) (gone, quiet bool) {
	entries, err := c.read(context.Background())
	if err != nil {
		return false, false
	}
	for _, e := range entries {
		if e.Boot == boot {
			silent := c.silent(e, true)
			return judgeHolder(c.alive(boot), true, silent, silent || c.silent(e, false))
		}
	}
	return judgeHolder(c.alive(boot), false, false, false)
}

// seenLately reads the roll and tells whether a boot's heartbeat changed so lately that it lives.
func (c *Census) seenLately(boot string) bool {
	if _, err := c.read(context.Background()); err != nil {
		return false
	}
	return c.beats(boot)
}

// beats is seenLately as of the last read.
func (c *Census) beats(boot string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.seen[boot]
	return ok && s.lives && time.Since(s.changed) < beatEvery+beatEvery/2
}

// entriesOf lists the roll's entries of one operating system process.
func (c *Census) entriesOf(ctx context.Context, os roomlog.OSProcess) []roomlog.Entry {
	entries, err := c.log.Entries(ctx)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(entries, func(e roomlog.Entry) bool { return e.OS != os })
}

// mayAnswer tells whether an owner whose record was read at checked (as ran has
// it) may answer without reading it again.
func (c *Census) mayAnswer(checked int64) bool {
	return mayAnswer(c.sinceBeat(), c.unbroken.Load(), checked)
}

// Strike removes the entry; call it last. No heartbeat follows: it would find
// the name lost, or, having read the roll before, put the entry back for ever.
func (c *Census) Strike(ctx context.Context) error {
	c.struck.Store(true)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done(): // the log hangs in a heartbeat, and will in this too
	}
	return c.log.Strike(ctx, c.self.Boot)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
