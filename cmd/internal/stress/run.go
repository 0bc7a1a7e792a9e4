package stress

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"
)

// Options of a run; all may be zero.
type Options struct {
	Pids     []int          // processes of the server; nil: cost is not measured
	Others   []int          // processes that serve beside them: their CPU while joining is told apart
	Find     func() []int   // finds them once the rooms are there, where Pids is nil
	Patience time.Duration  // how long to wait, after the last word, for what was sent; 0: 15 s
	Progress func(Progress) // called once a second
	Target   string         // name of what is measured, for the result
}

// Progress is how far a run is.
type Progress struct {
	Phase    string
	Elapsed  time.Duration // of the phase
	Tally    Tally
	Sessions int
	Rate     float64 // deliveries a second, since the last
}

// ErrWrong is the error of a run in which answers were wrong. The result says which.
var ErrWrong = errors.New("wrong answers")

const (
	defaultPatience = 15 * time.Second
	settle          = 500 * time.Millisecond // for what follows the last join
)

// run is one run of a profile.
type run struct {
	*engine
	opts   Options
	result Result
	phase  string
	began  time.Duration // of the phase
}

// Run puts a profile's load on a server and checks everything that comes back.
// The result is good, as far as it goes, also where an error is returned.
func Run(ctx context.Context, d Dialect, p Profile, opts Options) (Result, error) {
	if err := p.Check(); err != nil {
		return Result{}, err
	}
	var random [4]byte
	rand.Read(random[:]) //nolint:errcheck // never fails
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	e := newEngine(inner, d, p, hex.EncodeToString(random[:]))
	r := &run{engine: e, opts: opts, result: Result{Profile: p, Target: opts.Target, Pids: opts.Pids}}
	if err := raiseDescriptors(uint64(p.Sessions*max(1, min(p.Joins, 4)) + 256)); err != nil {
		return r.result, err
	}
	poller, err := newPoller(e)
	if err != nil {
		return r.result, err
	}
	e.poller = poller
	e.wg.Go(poller.run)
	watching := r.watch(inner)
	err = r.phases(ctx)
	cancel()
	<-watching
	r.close()
	return r.finish(err)
}

// close ends all connections and goroutines.
func (r *run) close() {
	r.mu.Lock()
	r.closing, r.sending = true, false
	for _, s := range r.sessions {
		for _, l := range s.links {
			l.end(nil)
		}
	}
	r.mu.Unlock()
	r.poller.stop()
	r.wg.Wait()
	r.poller.close()
}

// enter names the phase for the progress.
func (r *run) enter(phase string) {
	r.mu.Lock()
	r.phase, r.began = phase, r.now()
	r.mu.Unlock()
}

// watch reports progress once a second.
func (r *run) watch(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if r.opts.Progress == nil {
			return
		}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var before int64
		last := r.now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			r.mu.Lock()
			now := r.now()
			p := Progress{Phase: r.phase, Elapsed: now - r.began, Tally: r.tally, Sessions: len(r.sessions)}
			p.Rate = float64(r.tally.Delivered-before) / (now - last).Seconds()
			before, last = r.tally.Delivered, now
			r.mu.Unlock()
			r.opts.Progress(p)
		}
	}()
	return done
}

// mark is a moment of a run.
type mark struct {
	at        time.Duration
	tally     Tally
	usage     Usage
	others    Usage
	generator time.Duration
	machine   time.Duration
	segments  int64 // with data, that arrived so far
}

// mark notes the moment. measured switches the latency's recording.
func (r *run) mark(measured bool) (m mark, err error) {
	if m.usage, err = UsageOf(r.opts.Pids); err != nil {
		return m, err
	}
	if m.others, err = UsageOf(r.opts.Others); err != nil {
		return m, err
	}
	if own, err := UsageOf([]int{os.Getpid()}); err == nil {
		m.generator = own.CPU
	}
	if all, err := busy(); err == nil {
		m.machine = all
	}
	r.mu.Lock()
	m.at, m.tally, r.measured = r.now(), r.tally, measured
	m.segments = r.poller.received()
	r.mu.Unlock()
	return m, nil
}

// pass lets time go by, or less of it where the run fails or has said all.
func (r *run) pass(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := r.await(ctx, func() bool {
		return r.profile.Messages > 0 && r.tally.Acknowledged >= int64(r.profile.Messages)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (r *run) phases(ctx context.Context) error {
	names := make([]string, len(r.rooms))
	for i, room := range r.rooms {
		names[i] = room.Name
	}
	r.enter("rooms")
	if err := r.dialect.Prepare(ctx, names); err != nil {
		return err
	}
	if r.opts.Pids == nil && r.opts.Find != nil {
		r.opts.Pids = r.opts.Find()
		r.result.Pids = r.opts.Pids
	}
	empty, err := r.mark(false)
	if err != nil {
		return err
	}
	r.enter("join")
	if err := r.gather(ctx); err != nil {
		return err
	}
	r.result.JoinSeconds = (r.now() - empty.at).Seconds()
	if len(r.opts.Pids) > 0 {
		if err := r.pass(ctx, settle); err != nil {
			return err
		}
	}
	joined, err := r.mark(false)
	if err != nil {
		return err
	}
	r.result.JoinCPUSeconds = joined.usage.minus(empty.usage).CPU.Seconds()
	r.result.JoinOtherCPUSeconds = joined.others.minus(empty.others).CPU.Seconds()
	r.enter("warm up")
	r.begin()
	if r.profile.Messages > 0 {
		r.profile.Warmup = 0 // it could take all of them
	}
	if err := r.pass(ctx, r.profile.Warmup); err != nil {
		return err
	}
	from, err := r.mark(true)
	if err != nil {
		return err
	}
	r.enter("measure")
	err = r.measure(ctx)
	to, markErr := r.mark(false)
	if markErr != nil {
		return errors.Join(err, markErr)
	}
	r.result.window(from, to, empty, r.profile.Sessions)
	if err != nil {
		return err
	}
	r.enter("drain")
	r.stop()
	return r.drain(ctx)
}

// gather brings the sessions that are there before the first word.
func (r *run) gather(ctx context.Context) error {
	if r.profile.Ramp > 0 || r.profile.Talk > 0 {
		return nil
	}
	return r.arrive(ctx, r.profile.Sessions, 0)
}

// measure lets the load go on for the duration.
func (r *run) measure(ctx context.Context) error {
	switch p := r.profile; {
	case p.Talk > 0:
		return r.churn(ctx)
	case p.Ramp > 0:
		if err := r.arrive(ctx, p.Sessions, p.Ramp); err != nil {
			return err
		}
		return r.pass(ctx, p.Duration-p.Ramp)
	}
	return r.pass(ctx, r.profile.Duration)
}

// drain waits until everybody has everything that was sent.
func (r *run) drain(ctx context.Context) error {
	patience := r.opts.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := r.await(limited, func() bool { return r.tally.Acknowledged >= r.tally.Sent && r.behind() == 0 })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := r.behind()
		r.tally.Lost += n
		r.wrong(fmt.Errorf("%d deliveries and acknowledgements did not come within %s", n, patience))
		return nil
	}
	return err
}

// finish makes the result of what was counted.
func (r *run) finish(err error) (Result, error) {
	r.result.Tally, r.result.Faults = r.tally, r.faults
	r.result.Latency, r.result.Arrival, r.result.Arrivals = quantiles(r.hist), quantiles(r.arrivals), r.arrivals.TotalCount()
	if err == nil {
		err = r.fault
	}
	if err != nil {
		r.result.Faults = append(r.result.Faults, err.Error())
		return r.result, err
	}
	t := r.tally
	if len(r.faults) > 0 || t.Lost+t.Doubled+t.OutOfOrder+t.Altered > 0 {
		return r.result, fmt.Errorf("%w: %d lost, %d doubled, %d out of order, %d altered", ErrWrong, t.Lost, t.Doubled, t.OutOfOrder, t.Altered)
	}
	return r.result, nil
}
