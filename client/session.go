package client

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"positivity-exchange/comms"
	"positivity-exchange/comms/tlsconn"
)

const (
	window      = 32 // messages of a room under way at once
	tickEvery   = 50 * time.Millisecond
	minBackoff  = 50 * time.Millisecond
	maxBackoff  = 2 * time.Second
	stuckAfter  = 1500 * time.Millisecond // unacknowledged for so long: where is the room now?
	answerIn    = 3 * time.Second         // a locate or join without an answer is tried again, if nothing else came meanwhile
	slowIn      = 30 * time.Second        // the same, if something did
	besideIn    = 750 * time.Millisecond  // a router that has not welcomed us by then is not the only one asked
	heldAfter   = time.Second             // messages that are refused for so long are told of
	probeEvery  = 250 * time.Millisecond  // how often is asked where a stuck room is
	probeLater  = time.Second             // the same, once it has been stuck for so long that it stays there
	deafFor     = 500 * time.Millisecond  // like answerIn, for the first join at a shard that a room fled from
	fledFor     = 10 * time.Second        // so long ago at most
	fullFor     = 5 * time.Second         // a shard that serves us as many rooms as it may is asked for one more so rarely
	renewEvery  = 4 * time.Minute
	maxRedirect = 2
	quitWithin  = 200 * time.Millisecond
	silentFor   = 75 * time.Second // servers ping after 30 s of silence
	maxKnown    = 32               // shards remembered
)

// Session is one logical session. Make it with Connect.
type Session struct {
	opts   Options
	logger *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	calls  chan func() // API calls, run by the loop
	inbox  chan func() // what connections brought, run by the loop
	events chan Event
	wrote  chan struct{} // gets one when a connection takes messages again
	ids    *comms.IDSource

	// Below is the loop's alone.
	out     []telling // not yet taken by the reader of Events
	user    string
	cluster string // as the router names it
	ticket  string
	issued  time.Time // when a router gave the ticket, by the clock on the wall; zero: a shard did
	renewed time.Time
	router  *link   // that welcomed us; nil while there is none
	asking  []*link // routers that are to
	next    int     // index of the router to try next
	tries   int
	retryAt time.Time     // when one more is asked
	login   chan loginEnd // how the tries end, while Connect waits
	behind  time.Time     // last time that nothing was read since Events was not
	rooms   map[string]*room
	shards  map[string]*link
	known   []string          // addresses of shards, newest first: whom to ask while no router is there
	trouble map[string]error  // of shards with which there is no agreement on TLS
	fled    map[string]flight // from which shards a room fled: they answered nothing since
	closing bool              // the shards were told: nothing is looked for or sent any more
}

// loginEnd is what became of asking one router.
type loginEnd struct {
	addr string
	err  error
}

// Connect logs in at the first router that answers. It fails when none does
// before ctx ends (*UnreachableError), when the login is refused for good (*RefusedError), or when there
// is no agreement on TLS with any of them (tlsconn.Trouble).
func Connect(ctx context.Context, opts Options) (*Session, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.User != "" {
		if err := checked(comms.CheckUserName(opts.User)); err != nil {
			return nil, err
		}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Dial == nil {
		opts.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return tlsconn.Dial(ctx, addr, opts.TLS)
		}
	}
	if opts.EventBuffer == 0 {
		opts.EventBuffer = 256
	}
	s := &Session{
		opts: opts, logger: opts.Logger, user: opts.User, calls: make(chan func()), inbox: make(chan func()),
		events: make(chan Event, opts.EventBuffer), wrote: make(chan struct{}, 1), ids: comms.NewIDSource(), login: make(chan loginEnd, 1),
		rooms: map[string]*room{}, shards: map[string]*link{}, trouble: map[string]error{}, fled: map[string]flight{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.loop)
	var last error
	disagree := map[string]bool{}
	for {
		select {
		case end := <-s.login:
			var refused *RefusedError
			if end.err == nil {
				return s, nil
			}
			last, disagree[end.addr] = end.err, tlsconn.Trouble(end.err)
			if hope := slices.ContainsFunc(opts.Routers, func(addr string) bool { return !disagree[addr] }); errors.As(last, &refused) || !hope {
				return nil, errors.Join(last, s.Close())
			}
		case <-ctx.Done():
			return nil, &UnreachableError{opts.Routers, errors.Join(last, ctx.Err(), s.Close()), last}
		}
	}
}

// Close ends the session and waits for everything it started. Events is closed
// then. Shards are told, so that others see at once that the user left, and are
// listened to until they hang up: a connection that is closed over what was not
// read breaks, and a shard whose end broke may not read what was said before.
func (s *Session) Close() error {
	patience := time.AfterFunc(quitWithin, s.cancel) // a connection may hang
	defer patience.Stop()
	var told []*link
	s.call(s.ctx, func() { //nolint:errcheck // it is closed already
		s.closing = true
		for _, l := range s.shards {
			if l.send(comms.Quit{}); l.out != nil {
				l.out.finish()
				told = append(told, l)
			}
		}
	})
	for _, l := range told {
		select {
		case <-l.ended:
		case <-s.ctx.Done():
		}
	}
	s.cancel()
	s.wg.Wait()
	return nil
}

// Events yields everything that happens, in order per room. It must be read:
// while it is full the session reads nothing from the network.
func (s *Session) Events() <-chan Event { return s.events }

// loop owns the session's state.
func (s *Session) loop() {
	defer close(s.events)
	defer s.handOver()
	defer func() {
		if s.router != nil {
			s.router.close()
		}
		for _, l := range s.asking {
			l.close()
		}
		for _, l := range s.shards {
			l.close()
		}
	}()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		var out chan Event
		var first Event
		if len(s.out) > 0 {
			out, first = s.events, s.out[0].event
		}
		inbox := s.inbox
		if len(s.out) > s.opts.EventBuffer && !s.closing {
			inbox = nil // the reader is behind: the network waits
			s.behind = time.Now()
		}
		select {
		case <-s.ctx.Done():
			return
		case out <- first:
			s.out = s.out[1:]
			continue
		case f := <-s.calls:
			f()
		case f := <-inbox:
			f()
		case <-s.wrote:
		case <-tick.C:
		case <-due.C:
		}
		now := time.Now()
		s.step(now)
		// People wait for a room that is looked for again before the next tick.
		if next := s.nextDue(now); next.Before(now.Add(tickEvery)) {
			due.Reset(next.Sub(now))
		}
	}
}

// nextDue is when something is due that was put off, tickEvery from now at most.
func (s *Session) nextDue(now time.Time) time.Time {
	next := now.Add(tickEvery)
	earlier := func(at time.Time) {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	if s.router == nil {
		earlier(s.retryAt)
	}
	for _, r := range s.rooms {
		if r.state == stateIdle {
			earlier(r.retryAt)
		}
	}
	return next
}

// telling is an event on its way to the reader of Events.
type telling struct {
	event Event
	fate  *outgoing // whose fate it tells; nil if it is no message's
}

func (s *Session) emit(e Event) { s.out = append(s.out, telling{event: e}) }

// settle tells what became of a message. Until that is read, it is not acknowledged.
func (s *Session) settle(o *outgoing, result sendResult, e Event) {
	if o.answer != nil {
		o.answer <- result
	}
	s.out = append(s.out, telling{e, o})
}

// handOver leaves behind what the channel of events has room for: nobody may read it.
func (s *Session) handOver() {
	for len(s.out) > 0 {
		select {
		case s.events <- s.out[0].event:
			s.out = s.out[1:]
		default:
			return
		}
	}
}

// call runs f in the loop and waits for it.
func (s *Session) call(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case s.calls <- func() { f(); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return ErrClosed
	}
}

// post hands f to the loop from a goroutine of the session's.
func (s *Session) post(f func()) {
	select {
	case s.inbox <- f:
	case <-s.ctx.Done():
	}
}

func backoff(tries int) time.Duration {
	d := min(minBackoff<<min(tries, 10), maxBackoff)
	return d/2 + rand.N(d/2+1)
}

// step does what is due.
func (s *Session) step(now time.Time) {
	if s.closing {
		return
	}
	for _, l := range s.shards {
		l.listen(now)
	}
	s.stepRouter(now)
	for _, r := range s.rooms {
		s.stepRoom(r, now)
	}
}
