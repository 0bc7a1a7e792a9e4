package twin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"positivity-exchange/shard/roomlog"
)

// trouble is what goes wrong between one process and the room log.
type trouble struct {
	cut     bool          // nothing gets through: reads fail, writes fail or have no known outcome
	slow    time.Duration // added to each call, up to twice
	refused float64       // share of the writes that are certainly not in
	unknown float64       // share of the writes without a known outcome: in, not in, or in later
}

// faultyLog is one process's access to the shared log, with delays and faults
// drawn from the seed. A frozen process is frozen in here, too: before its
// call takes effect or behind it.
type faultyLog struct {
	roomlog.Log // what it does in the end
	host        *host
	counts      *counts
	late        *sync.WaitGroup // writes on their way though their caller has gone

	mu      sync.Mutex
	rng     *rand.Rand
	trouble trouble
	armed   *window
}

// window is a place inside a call of the log's at which something happens, once.
type window struct {
	op    string
	after bool // behind the effect, before the answer
	do    func()
}

// arm sets what is to happen in the next call of a kind; nil: nothing.
func (l *faultyLog) arm(w *window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = w
}

// pass is a place of a call's.
func (l *faultyLog) pass(op string, after bool) {
	l.mu.Lock()
	w := l.armed
	if w == nil || w.op != op || w.after != after {
		l.mu.Unlock()
		return
	}
	l.armed = nil
	l.mu.Unlock()
	w.do()
}

func (l *faultyLog) set(t trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = t
}

// Kinds of calls.
const (
	opAppend  = "append"
	opAcquire = "acquire"
	opRelease = "release"
	opBeat    = "beat"
	opOther   = "other"
)

// fate of one write.
type fate int

const (
	stored  fate = iota
	refused      // certainly not in
	notIn        // not in, and nobody knows
	in           // in, and nobody knows
	later        // not in yet, and nobody knows
)

// draw decides one call.
func (l *faultyLog) draw(write bool) (before, after time.Duration, f fate, sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	some := func() time.Duration {
		d := 20*time.Microsecond + time.Duration(l.rng.ExpFloat64()*float64(150*time.Microsecond))
		if l.trouble.slow > 0 {
			d += l.trouble.slow/4 + time.Duration(l.rng.Int64N(int64(l.trouble.slow)))
		}
		return d
	}
	before, after = some(), some()
	sent = l.rng.IntN(2) == 0
	if !write {
		return before, after, stored, sent
	}
	switch x := l.rng.Float64(); {
	case x < l.trouble.refused:
		f = refused
	case x < l.trouble.refused+l.trouble.unknown:
		f = notIn + fate(l.rng.IntN(3))
	}
	return before, after, f, sent
}

func (l *faultyLog) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble.cut
}

// call does one call of the log's: effect is it.
func (l *faultyLog) call(ctx context.Context, op string, effect func(context.Context) error) error {
	write := op == opAppend || op == opAcquire || op == opRelease
	refusal := func(why string) error { return fmt.Errorf("%w: %s", roomlog.ErrRefused, why) }
	if err := l.host.gate(); err != nil {
		return refusal(err.Error())
	}
	if err := ctx.Err(); err != nil {
		return refusal(err.Error())
	}
	before, after, f, sent := l.draw(write)
	if l.isCut() {
		time.Sleep(50*time.Millisecond + 100*before)
		if !write || f != stored || sent {
			return refusal("the log cannot be reached")
		}
		return fmt.Errorf("%w: no answer", roomlog.ErrUnknown)
	}
	time.Sleep(before)
	l.pass(op, false)
	if !write || !sent { // what was sent takes effect, whatever becomes of its sender
		if err := l.host.gate(); err != nil {
			return refusal(err.Error())
		}
	}
	ctx = context.WithoutCancel(ctx)
	unknown := fmt.Errorf("%w: no answer", roomlog.ErrUnknown)
	switch f {
	case refused:
		l.counts.refused.Add(1)
		time.Sleep(after)
		return refusal("busy")
	case notIn, later:
		l.counts.unknown.Add(1)
		wait := 20*after + 10*time.Millisecond
		if f == later {
			l.late.Go(func() {
				time.Sleep(wait + 100*before)
				effect(ctx) //nolint:errcheck // nobody hears it
			})
		}
		time.Sleep(wait)
		l.host.gate() //nolint:errcheck // the outcome is not known either way
		return unknown
	case in:
		l.counts.unknown.Add(1)
		effect(ctx) //nolint:errcheck // nobody hears it
		time.Sleep(20*after + 10*time.Millisecond)
		l.host.gate() //nolint:errcheck // the outcome is not known either way
		return unknown
	}
	err := effect(ctx)
	l.pass(op, true)
	time.Sleep(after)
	if dead := l.host.gate(); dead != nil && write {
		return unknown
	}
	if l.isCut() && write {
		l.counts.unknown.Add(1)
		return unknown
	}
	return err
}

func (l *faultyLog) Register(ctx context.Context, p roomlog.Process) error {
	return l.call(ctx, opOther, func(ctx context.Context) error { return l.Log.Register(ctx, p) })
}

func (l *faultyLog) Beat(ctx context.Context, boot string, wants []int) ([]roomlog.Entry, error) {
	read := make(chan []roomlog.Entry, 1) // what takes effect later may still write
	err := l.call(ctx, opBeat, func(ctx context.Context) error {
		entries, err := l.Log.Beat(ctx, boot, wants)
		read <- entries
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-read, nil
}

func (l *faultyLog) Strike(ctx context.Context, boot string) error {
	return l.call(ctx, opOther, func(ctx context.Context) error { return l.Log.Strike(ctx, boot) })
}

func (l *faultyLog) Entries(ctx context.Context) (entries []roomlog.Entry, err error) {
	err = l.call(ctx, opOther, func(ctx context.Context) (err error) { entries, err = l.Log.Entries(ctx); return err })
	return entries, err
}

func (l *faultyLog) Owner(ctx context.Context, partition int) (o roomlog.Owner, err error) {
	err = l.call(ctx, opOther, func(ctx context.Context) (err error) { o, err = l.Log.Owner(ctx, partition); return err })
	return o, err
}

func (l *faultyLog) Acquire(ctx context.Context, partition int, from, to roomlog.Owner) (o roomlog.Owner, err error) {
	err = l.call(ctx, opAcquire, func(ctx context.Context) (err error) { o, err = l.Log.Acquire(ctx, partition, from, to); return err })
	if err != nil {
		return roomlog.Owner{}, err
	}
	l.counts.acquired.Add(1)
	return o, nil
}

func (l *faultyLog) Release(ctx context.Context, partition int, epoch uint64, r roomlog.Release) error {
	return l.call(ctx, opRelease, func(ctx context.Context) error { return l.Log.Release(ctx, partition, epoch, r) })
}

func (l *faultyLog) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	own := append([]roomlog.Record(nil), records...) // the caller's, which goes on while a late one waits
	err := l.call(ctx, opAppend, func(ctx context.Context) error { return l.Log.Append(ctx, partition, epoch, own) })
	l.counts.appended(err)
	return err
}

func (l *faultyLog) Head(ctx context.Context, partition int, room string) (at roomlog.Position, info roomlog.RoomInfo, err error) {
	err = l.call(ctx, opOther, func(ctx context.Context) (err error) { at, info, err = l.Log.Head(ctx, partition, room); return err })
	return at, info, err
}

func (l *faultyLog) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) (r []roomlog.Record, err error) {
	err = l.call(ctx, opOther, func(ctx context.Context) (err error) {
		r, err = l.Log.Read(ctx, partition, room, from, limit, maxBytes)
		return err
	})
	return r, err
}

func (l *faultyLog) ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) (r []roomlog.Record, err error) {
	err = l.call(ctx, opOther, func(ctx context.Context) (err error) {
		r, err = l.Log.ReadBack(ctx, partition, room, before, limit, maxBytes)
		return err
	})
	return r, err
}

// Rooms is read 271 times by each shard that starts: without a delay.
func (l *faultyLog) Rooms(ctx context.Context, partition int, after string, limit int) ([]roomlog.RoomInfo, error) {
	if l.host.gate() != nil || l.isCut() {
		return nil, roomlog.ErrRefused
	}
	return l.Log.Rooms(ctx, partition, after, limit)
}
