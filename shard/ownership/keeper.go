package ownership

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/membership"
	"positivity-exchange/shard/roomlog"
)

const (
	rereadEvery  = time.Second
	recheckWidth = 8
	cutAfter     = 2 * time.Second
	cutEvery     = 250 * time.Millisecond // how often it is looked at: people wait for the word
	moveWidth    = 8                      // partitions moving at once
	announceFor  = 100 * time.Millisecond // at least, between the announcement of a move and its stop
	stopEvery    = 25 * time.Millisecond  // a shard that has every partition is empty in 7 s, within DrainTimeout
	forceAfter   = 500 * time.Millisecond // a lock unmoved for so long may be broken

	// answerWithin is how long another shard's answer is waited for. A living
	// one needs a commit at most; who is asked again answers again.
	answerWithin = 300 * time.Millisecond

	// hopelessFor is answerWithin for one that is dead for gossip.
	hopelessFor = 100 * time.Millisecond
	// readsWants is how long a holder that nobody reaches takes to read in the
	// roll what is wanted of it, and to give it up.
	readsWants = 500 * time.Millisecond

	// restFor bounds what is released without pacing at the end of a drain.
	restFor = 5 * time.Second
	// settledFor is how long a partition stays with whom it came to by a want:
	// it must not go to and fro between two who cannot reach each other.
	settledFor = time.Minute
)

// Options configures a Keeper. Zero values mean the design's figures.
type Options struct {
	Logger       *slog.Logger
	NoFenceKill  bool          // never end a process by force
	DrainTimeout time.Duration // 0 means 8 s
}

// Keeper decides which partitions this shard holds: it acquires at first use,
// yields, moves, releases and learns of being deposed.
type Keeper struct {
	log    roomlog.Log
	census *Census
	gossip Gossip
	peers  Peers
	rooms  Rooms
	opts   Options
	logger *slog.Logger
	slots  [membership.Partitions]slot

	turns sync.Mutex
	turn  time.Time // of the next move that people notice

	ctx    context.Context // of everything the Keeper started
	cancel context.CancelFunc
	wg     sync.WaitGroup
	kick   chan struct{} // one slot: moves are to be looked at

	away    *roomlog.Outage // of partitions' records
	blocked *roomlog.Outage // by another process
}

// slot is one partition. turn is the right to change who holds it: taken for
// the length of one transition, log I/O included, and never waited for by those
// who only look.
type slot struct {
	turn    chan struct{}
	held    atomic.Pointer[Holding]
	checked atomic.Int64 // last time the record was read and still ours, as Census.ran has it
	asked   atomic.Bool  // somebody wants it: move it first
	settled atomic.Int64 // wants of others do not count before, as Census.ran has it
}

// NewKeeper makes a Keeper. Nothing runs before Run.
func NewKeeper(log roomlog.Log, census *Census, gossip Gossip, peers Peers, rooms Rooms, opts Options) *Keeper {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.DrainTimeout == 0 {
		opts.DrainTimeout = 8 * time.Second
	}
	k := &Keeper{log: log, census: census, gossip: gossip, peers: peers, rooms: rooms, opts: opts, logger: opts.Logger, kick: make(chan struct{}, 1)}
	k.away = roomlog.NewOutage(k.logger, "the owner records cannot be read or written; the log is asked again", "the owner records are read again")
	k.blocked = roomlog.NewOutage(k.logger, "waiting for a process that holds a partition's lock", "")
	k.ctx, k.cancel = context.WithCancel(context.Background())
	for i := range k.slots {
		k.slots[i].turn = make(chan struct{}, 1)
	}
	return k
}

// Run re-reads owner records each second, moves partitions away that the table
// gives to others, serves wants. It returns after everything it started ended.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.wg.Wait()
	defer k.cancel()
	changed, stop := k.gossip.Watch()
	defer stop()
	loops := sync.WaitGroup{}
	defer loops.Wait()
	loops.Go(func() { k.moveLoop(ctx) })
	loops.Go(func() { k.cutLoop(ctx) })
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			k.lookAtMoves()
		case <-k.census.RollRead():
			k.serveWants(ctx)
		case <-tick.C:
			now := time.Now()
			k.recheckAll(ctx, now.Sub(last) > freshFor+rereadEvery/2)
			last = now
			k.lookAtMoves()
		}
	}
}

// cutLoop tells gossip when the log cannot be reached, and when it can again. It
// is apart from Run's loop since it waits until gossip is told.
func (k *Keeper) cutLoop(ctx context.Context) {
	tick := time.NewTicker(cutEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.gossip.SetCut(k.census.sinceBeat() > cutAfter)
		}
	}
}

func (k *Keeper) take(ctx context.Context, s *slot) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slot) give() { <-s.turn }

// Fresh reports whether the holding may answer without reading the owner
// record again. No lock, no allocation.
func (k *Keeper) Fresh(partition int, epoch uint64) bool {
	s := &k.slots[partition]
	h := s.held.Load()
	return h != nil && h.Epoch == epoch && k.census.mayAnswer(s.checked.Load())
}

// Hold returns the holding of partition, acquiring it at first use. Errors:
// *RedirectError, ErrNotReady, or one wrapping roomlog.ErrRefused.
func (k *Keeper) Hold(ctx context.Context, partition int) (Holding, error) {
	s := &k.slots[partition]
	h := s.held.Load()
	if h != nil && k.Fresh(partition, h.Epoch) {
		return *h, nil
	}
	where, cut := k.elsewhere(partition)
	if h != nil && k.recheckSoon(ctx, partition, cut) {
		return *h, nil
	}
	if cut {
		return Holding{}, &RedirectError{where}
	}
	if err := k.take(ctx, s); err != nil {
		return Holding{}, err
	}
	defer s.give()
	if h := s.held.Load(); h != nil {
		if k.Fresh(partition, h.Epoch) || k.recheck(ctx, partition) {
			return *h, nil
		}
		return Holding{}, ErrNotReady
	}
	got, err := k.obtain(ctx, partition)
	var to *RedirectError
	if !errors.As(err, &to) && !errors.Is(err, ErrNotReady) {
		k.away.Note(err, "partition", partition)
	}
	return got, err
}

// elsewhere names who should serve a partition in place of one that is cut from
// the log: whoever asks need not wait here for as long as the log may take.
func (k *Keeper) elsewhere(partition int) (Where, bool) {
	self := k.gossip.Self()
	if !self.Cut {
		return Where{}, false
	}
	to, ok := k.gossip.Table().Owner(partition)
	return Where{Name: to.Name, Addr: to.Client}, ok && to.Boot != self.Boot
}

// look gathers what a decision depends on.
func (k *Keeper) look(ctx context.Context, partition int) (view, error) {
	record, err := k.log.Owner(ctx, partition)
	if err != nil {
		return view{}, err
	}
	v := view{self: k.gossip.Self(), record: record}
	v.table, _ = k.gossip.Table().Owner(partition)
	if record.Epoch != 0 && !record.Released && record.Boot != v.self.Boot {
		v.gone, v.quiet = k.census.judge(record.Boot)
	}
	v.lastDead = record.Released && record.Boot != v.self.Boot && !k.gossip.Alive(record.Boot)
	if record.Released && record.NextName != "" {
		for _, m := range k.gossip.Members() {
			if m.Name == record.NextName && m.State == membership.StateActive && k.gossip.Alive(m.Boot) {
				v.next = m
			}
		}
	}
	return v, nil
}

// obtain acquires or says why not. The caller has the slot's turn.
func (k *Keeper) obtain(ctx context.Context, partition int) (Holding, error) {
	for range 4 {
		v, err := k.look(ctx, partition)
		var blocked *roomlog.BlockedError
		if errors.As(err, &blocked) {
			k.force(ctx, blocked)
			return Holding{}, ErrNotReady
		}
		if err != nil {
			return Holding{}, err
		}
		action, where := decide(v)
		switch action {
		case redirect:
			return Holding{}, &RedirectError{where}
		case letGo:
			if err := k.log.Release(ctx, partition, v.record.Epoch, roomlog.Release{NextName: where.Name, NextAddr: where.Addr}); err != nil {
				return Holding{}, err
			}
			return Holding{}, &RedirectError{where}
		case ask:
			if err := k.askHolder(ctx, partition, v.record, where); err != nil {
				return Holding{}, err
			}
		case acquire:
			h, err := k.acquire(ctx, partition, v)
			if errors.Is(err, roomlog.ErrConflict) {
				continue
			}
			return h, err
		default:
			return Holding{}, ErrNotReady
		}
	}
	return Holding{}, ErrNotReady
}

// askHolder asks the holder to give the partition up; nil: it has. Who cannot be
// asked is told by the roll what is wanted of it.
func (k *Keeper) askHolder(ctx context.Context, partition int, holder roomlog.Owner, where Where) error {
	since, wanted := k.census.wanted(partition)
	if wanted && since < readsWants {
		return ErrNotReady
	}
	answer, err := k.askYield(ctx, holder, partition)
	if err != nil {
		k.census.want(partition)
		k.logger.Debug("yield", "partition", partition, "owner", where.Name, "err", err)
		if wanted && k.census.seenLately(holder.Boot) {
			// It lives and we cannot reach it; the client may. If it
			// cannot either, the holder hears nobody and gives up.
			return &RedirectError{where}
		}
		return ErrNotReady
	}
	switch answer {
	case comms.YieldReleased:
		return nil
	case comms.YieldNotHeld:
		return ErrNotReady
	}
	return &RedirectError{where}
}

// askYield asks the holder, who may be a process that stands still: the turn of
// the slot must not be kept waiting until its death is known.
func (k *Keeper) askYield(ctx context.Context, holder roomlog.Owner, partition int) (string, error) {
	patience := answerWithin
	if !k.gossip.Alive(holder.Boot) {
		patience = hopelessFor
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return k.peers.Yield(ctx, holder.Addr, partition)
}

func (k *Keeper) acquire(ctx context.Context, partition int, v view) (Holding, error) {
	to := roomlog.Owner{Name: v.self.Name, Boot: v.self.Boot, Addr: v.self.Client}
	start := k.census.now()
	own, err := k.log.Acquire(ctx, partition, v.record, to)
	var blocked *roomlog.BlockedError
	if errors.As(err, &blocked) {
		k.force(ctx, blocked)
		return Holding{}, ErrNotReady
	}
	if err != nil {
		return Holding{}, err // an unknown outcome is found in the record at the next use
	}
	h := &Holding{Partition: partition, Epoch: own.Epoch, Crashed: v.record.Epoch != 0 && !v.record.Released}
	if v.record.Released {
		h.Handover = NewHandover(v.record.Handover)
	}
	s := &k.slots[partition]
	s.asked.Store(false)
	s.checked.Store(k.census.ran(start))
	if settles(v, k.census.takeWant(partition)) {
		s.settled.Store(k.census.ran(k.census.now()) + int64(settledFor))
	}
	s.held.Store(h)
	k.logger.Info("acquired", "partition", partition, "epoch", h.Epoch, "crashed", h.Crashed)
	if k.census.since(start) >= freshFor {
		return Holding{}, ErrNotReady // we may have stood still, and been deposed: it is read again
	}
	return *h, nil
}

// Reacquire follows an append of unknown outcome: it acquires from itself, so
// that a late write of the old epoch cannot enter.
func (k *Keeper) Reacquire(ctx context.Context, partition int, epoch uint64) (Holding, error) {
	s := &k.slots[partition]
	if err := k.take(ctx, s); err != nil {
		return Holding{}, err
	}
	defer s.give()
	v, err := k.look(ctx, partition)
	if err != nil {
		return Holding{}, err
	}
	if v.record.Epoch != epoch || v.record.Boot != v.self.Boot || v.record.Released {
		return Holding{}, roomlog.ErrFenced
	}
	h, err := k.acquire(ctx, partition, v)
	if now := s.held.Load(); errors.Is(err, ErrNotReady) && now != nil && now.Epoch > epoch {
		// Acquired, slowly: we may have been deposed since. The caller has to know
		// its epoch all the same, and answers what it then reads in the log.
		h, err = *now, nil
	}
	h.Crashed = false
	return h, err
}

// Holds tells whether partition is held under epoch now. No I/O.
func (k *Keeper) Holds(partition int, epoch uint64) bool {
	h := k.slots[partition].held.Load()
	return h != nil && h.Epoch == epoch
}

// Held lists what is held now.
func (k *Keeper) Held() []Holding {
	var held []Holding
	for p := range k.slots {
		if h := k.slots[p].held.Load(); h != nil {
			held = append(held, *h)
		}
	}
	return held
}
