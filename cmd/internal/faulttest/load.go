package faulttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// LoadOptions is what people do. Zero fields have the defaults of the type's
// comments, which are the acceptance test's.
type LoadOptions struct {
	Rooms      int           // 40
	Writers    int           // of each room: 3
	Readers    int           // of each room: 2, SDK and bare in turn
	HotWriters int           // of the hot room: 20
	Every      time.Duration // how often a room's writers send together: 150 ms
	Grace      time.Duration // for what is unacknowledged in the end: 20 s
}

func (o *LoadOptions) fill() {
	for _, f := range []struct {
		value     *int
		otherwise int
	}{{&o.Rooms, 40}, {&o.Writers, 3}, {&o.Readers, 2}, {&o.HotWriters, 20}} {
		if *f.value == 0 {
			*f.value = f.otherwise
		}
	}
	if o.Every == 0 {
		o.Every = 150 * time.Millisecond
	}
	if o.Grace == 0 {
		o.Grace = 20 * time.Second
	}
}

// Load is the people of a run.
type Load struct {
	opts    LoadOptions
	routers []string
	log     *checker.Log
	origin  time.Time // of the history's clock
	rand    *rand.Rand
	logf    func(format string, args ...any)

	writers, readers sync.WaitGroup
	stopWriters      context.CancelFunc
	stopReaders      context.CancelFunc
	talking, reading context.Context

	mu      sync.Mutex
	rooms   map[string]*roomLoad
	present map[string]map[string]int // room -> user -> sessions
	at      map[string]uint64         // reader's place: room + " " + who -> last
	quiet   []string                  // rooms that were written to once
	probes  int
	errs    []error
}

type roomLoad struct {
	acked  int
	last   time.Time // of the newest acknowledgement: when its message was due
	epoch  uint64
	owner  string // stable name of the shard, as the newest epoch has it
	served int    // owners so far
}

func newLoad(opts LoadOptions, routers []string, log *checker.Log, origin time.Time, seed uint64, logf func(string, ...any)) *Load {
	opts.fill()
	return &Load{
		opts: opts, routers: routers, log: log, origin: origin, rand: rand.New(rand.NewPCG(seed, 1)), logf: logf,
		rooms: map[string]*roomLoad{}, present: map[string]map[string]int{}, at: map[string]uint64{},
	}
}

// Hot is the name of the room with most writers.
func (l *Load) Hot() string { return "hot" }

func (l *Load) names() []string {
	names := []string{l.Hot()}
	for i := range l.opts.Rooms {
		names = append(names, fmt.Sprintf("room-%d", i))
	}
	return names
}

// begin lets all writers come in, then the readers; it returns when all of them
// are in their rooms.
func (l *Load) begin(ctx context.Context) error {
	l.talking, l.stopWriters = context.WithCancel(ctx)
	l.reading, l.stopReaders = context.WithCancel(ctx)
	var came sync.WaitGroup
	failed := make(chan error, 1000)
	enter := func(run func() error) {
		came.Go(func() {
			if err := run(); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := l.create(ctx, l.names()...); err != nil {
		return err
	}
	start := make(chan struct{})
	for i, name := range l.names() {
		// Each room has a beat of its own: were it common to all, what is measured
		// would be the queue of messages that come to the log in the same instant.
		beat := l.opts.Every * time.Duration(i) / time.Duration(l.opts.Rooms+1)
		n, every := l.opts.Writers, l.opts.Every*time.Duration(l.opts.Writers)
		if name == l.Hot() {
			n = l.opts.HotWriters
			every = l.opts.Every * time.Duration(n) / 4 // four times a room's traffic
		}
		for k := range n {
			w := &writer{
				load: l, room: name, user: fmt.Sprintf("w%d-%d", i, k), every: every, offset: beat + every*time.Duration(k)/time.Duration(n),
				rand: rand.New(rand.NewPCG(l.rand.Uint64(), 2)), waiting: map[string]*posted{}, restarts: (i*l.opts.Writers+k)%10 == 1,
			}
			enter(func() error {
				if err := w.come(l.reading); err != nil {
					return err
				}
				l.writers.Go(func() { w.run(start) })
				return nil
			})
		}
	}
	came.Wait()
	for i, name := range l.names() {
		for k := range l.opts.Readers {
			r := &reader{
				load: l, room: name, user: fmt.Sprintf("r%d-%d", i, k), rand: rand.New(rand.NewPCG(l.rand.Uint64(), 3)),
				slow: (i*l.opts.Readers+k)%10 == 3, restless: (i*l.opts.Readers+k)%10 == 6,
			}
			in := make(chan error, 1)
			run := r.runSession
			if k%2 == 1 {
				run = r.runBare
			}
			l.readers.Go(func() { run(l.reading, in) })
			enter(func() error {
				select {
				case err := <-in:
					return err
				case <-time.After(startWithin):
					return fmt.Errorf("%s cannot come into #%s", r.user, r.room)
				}
			})
		}
	}
	came.Wait()
	close(start)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// create makes rooms.
func (l *Load) create(ctx context.Context, names ...string) error {
	s, err := l.connect(ctx, "founder")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // never fails
	drop(s)
	for _, name := range names {
		if err := createRoom(ctx, s, name); err != nil {
			return err
		}
	}
	return nil
}

// createRoom makes a room that may be there, after an answer that was lost.
func createRoom(ctx context.Context, s *client.Session, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	err := s.Create(ctx, name, "")
	var refused *client.RefusedError
	if errors.As(err, &refused) && refused.Code == comms.CodeRoomExists {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create #%s: %w", name, err)
	}
	return nil
}

// endTalk ends the writers once all they sent is acknowledged, or has had its time.
func (l *Load) endTalk() {
	l.stopWriters()
	l.writers.Wait()
}

// end ends everybody.
func (l *Load) end() {
	l.stopWriters()
	l.writers.Wait()
	l.stopReaders()
	l.readers.Wait()
}

func (l *Load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

// newQuiet notes the name of a room that is written to once.
func (l *Load) newQuiet(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet = append(l.quiet, name)
	return name
}

// allRooms lists every room that anybody wrote to.
func (l *Load) allRooms() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(l.names(), l.quiet...)
}

// since is t on the history's clock.
func (l *Load) since(t time.Time) int64 { return int64(t.Sub(l.origin)) }

func (l *Load) room(name string) *roomLoad {
	r := l.rooms[name]
	if r == nil {
		r = &roomLoad{}
		l.rooms[name] = r
	}
	return r
}

// Acked is how many messages of a room were acknowledged so far.
func (l *Load) Acked(room string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.room(room).acked
}

// Owner is the stable name of the shard that serves a room, as people were last
// told by the newest owner.
func (l *Load) Owner(room string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.room(room).owner
}

// Moves is how often rooms with traffic changed their owner so far.
func (l *Load) Moves() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rooms {
		n += max(0, r.served-1)
	}
	return n
}

// Rooms lists the rooms with traffic.
func (l *Load) Rooms() []string { return l.names() }

// notWritable lists the rooms in which nothing was acknowledged that was due
// after t.
func (l *Load) notWritable(t time.Time) (rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.names() {
		if !l.room(name).last.After(t) {
			rooms = append(rooms, name)
		}
	}
	return rooms
}

// served notes that who is in the room at a shard.
func (l *Load) served(room, who string, last uint64, epoch uint64, shard, addr string) {
	l.log.Add(checker.Event{Kind: checker.Joined, Room: room, Who: who, Seq: last, Epoch: epoch, Owner: shard + "@" + addr})
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.room(room); epoch > r.epoch {
		if r.owner != shard {
			r.served++
		}
		r.epoch, r.owner = epoch, shard
	}
}

func (l *Load) came(room, user string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present[room] == nil {
		l.present[room] = map[string]int{}
	}
	if l.present[room][user] += n; l.present[room][user] == 0 {
		delete(l.present[room], user)
	}
}

// participants is who should be shown in a room.
func (l *Load) participants(room string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.present[room]))
}

func (l *Load) reached(room, who string, seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[room+" "+who] = seq
}

// behind lists readers of a room that have not reached seq.
func (l *Load) behind(room string, seq uint64) (who []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, at := range l.at {
		if len(key) > len(room) && key[:len(room)+1] == room+" " && at != seq {
			who = append(who, fmt.Sprintf("%s (at %d)", key[len(room)+1:], at))
		}
	}
	slices.Sort(who)
	return who
}

func (l *Load) readersOf(room string) (who []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.at {
		if len(key) > len(room) && key[:len(room)+1] == room+" " {
			who = append(who, key[len(room)+1:])
		}
	}
	slices.Sort(who)
	return who
}

// connect logs a user in, at whichever router answers.
func (l *Load) connect(ctx context.Context, user string) (*client.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	routers := slices.Clone(l.routers)
	rand.Shuffle(len(routers), func(i, j int) { routers[i], routers[j] = routers[j], routers[i] })
	return client.Connect(ctx, client.Options{Routers: routers, User: user})
}

// payload is 1 to 400 random bytes of what people may write.
func payload(r *rand.Rand) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789 \t\n\"\\<>&%{}[]:,/'`" + "äßñλжש漢字👍🏽e\u0301\u202e\u200d"
	letters := []rune(alphabet)
	size := 1 + r.IntN(400)
	b := make([]rune, 0, size)
	for n := 0; n < size; {
		c := letters[r.IntN(len(letters))]
		b = append(b, c)
		n += len(string(c))
	}
	return string(b)
}

// readHistory reads a room's whole history.
func readHistory(ctx context.Context, s *client.Session, room string) (all []comms.Record, err error) {
	for {
		page, err := s.History(ctx, comms.History{Room: room, From: uint64(len(all)) + 1, Limit: comms.MaxPage})
		if err != nil {
			return all, fmt.Errorf("history of #%s: %w", room, err)
		}
		all = append(all, page.Records...)
		if !page.More {
			return all, nil
		}
		if len(page.Records) == 0 {
			return all, fmt.Errorf("history of #%s: an empty page behind %d of %d", room, len(all), page.Head)
		}
	}
}
