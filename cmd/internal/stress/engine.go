package stress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxFaults bounds the wrong answers that are told word for word.
const maxFaults = 10

// engine is the state of a run. One lock guards all of it: bytes are taken in
// batches, and one thread reads them all where the system allows.
type engine struct {
	dialect  Dialect
	profile  Profile
	numbered bool
	nonce    string // in every message id: tells ours from others'
	start    time.Time
	wg       sync.WaitGroup  // readers, joiners and the poller
	ctx      context.Context // ends with the run

	mu       sync.Mutex
	poller   *poller
	rooms    []*room
	byName   map[string]*room
	sessions []*session
	speakers []*speaker
	talkers  queue // open loop
	sending  bool
	closing  bool // ends of connections are ours
	users    int  // names given
	frame    Frame
	scratch  []byte
	tally    Tally
	joined   int                     // memberships
	missing  int                     // memberships asked for and not yet joined
	hist     *hdrhistogram.Histogram // of deliveries
	arrivals *hdrhistogram.Histogram // from the login to the last room joined
	measured bool
	faults   []string // the first wrong answers
	fault    error
	failed   chan struct{} // closed with the first fault
	waits    []*wait
	news     bool // something that a wait may be for has come while sending
}

// Tally counts what was seen since the start of the run.
type Tally struct {
	Sent         int64 `json:"sent"`
	Acknowledged int64 `json:"acknowledged"`
	Delivered    int64 `json:"delivered"`
	Lost         int64 `json:"lost"`
	Doubled      int64 `json:"doubled"`
	OutOfOrder   int64 `json:"out_of_order"`
	Altered      int64 `json:"altered"`
	Foreign      int64 `json:"foreign"` // others' messages in our rooms: counted in the order, not in deliveries
}

// wait is somebody waiting for a condition on the state.
type wait struct {
	until func() bool
	done  chan struct{}
}

func newEngine(ctx context.Context, d Dialect, p Profile, nonce string) *engine {
	e := &engine{
		ctx:     ctx,
		dialect: d, profile: p, numbered: d.Numbered(), nonce: nonce, start: time.Now(), byName: map[string]*room{},
		failed: make(chan struct{}), hist: histogram(), arrivals: histogram(),
	}
	prefix := p.Prefix
	if prefix == "" {
		prefix = "stress"
	}
	for i := range p.Rooms {
		r := &room{Room: Room{Name: fmt.Sprintf("%s-%d", prefix, i), Index: i}}
		e.rooms = append(e.rooms, r)
		e.byName[r.Name] = r
	}
	return e
}

// histogram takes microseconds.
func histogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
}

// now is the run's clock.
func (e *engine) now() time.Duration { return time.Since(e.start) }

// fail ends the run: what was asked for is refused, or a connection is gone.
// The caller holds e.mu.
func (e *engine) fail(err error) {
	if e.fault == nil && !e.closing {
		e.fault = err
		close(e.failed)
	}
}

// wrong notes a wrong answer. The run goes on, so that all are counted. The
// caller holds e.mu.
func (e *engine) wrong(err error) {
	if len(e.faults) < maxFaults {
		e.faults = append(e.faults, err.Error())
	}
}

// check lets those go whose condition has come true. The caller holds e.mu.
func (e *engine) check() {
	kept := e.waits[:0]
	for _, w := range e.waits {
		if w.until() {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(e.waits[len(kept):])
	e.waits = kept
}

// await waits for a condition, which is called under e.mu.
func (e *engine) await(ctx context.Context, until func() bool) error {
	w := &wait{until, make(chan struct{})}
	e.mu.Lock()
	e.waits = append(e.waits, w)
	e.check()
	e.mu.Unlock()
	var err error
	select {
	case <-w.done:
		return nil
	case <-e.failed:
		err = e.fault
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	e.mu.Lock()
	e.waits = slices.DeleteFunc(e.waits, func(other *wait) bool { return other == w })
	e.mu.Unlock()
	return err
}

// say sends a speaker's next message, counted from the time at which it was to
// be sent. The caller holds e.mu and flushes the link.
func (e *engine) say(sp *speaker, intended time.Duration) {
	if e.profile.Messages > 0 && e.tally.Sent >= int64(e.profile.Messages) || sp.sent == maxNumber {
		e.sending = false
		return
	}
	sp.sent++
	e.tally.Sent++
	sp.times = append(sp.times, intended)
	from := len(e.nonce) + 1
	e.scratch = append(append(e.scratch[:0], e.nonce...), '.')
	e.scratch = appendContent(e.scratch, sp.id, sp.sent, e.profile.Size)
	l := sp.seat.link
	l.out = e.dialect.AppendSend(l.out, &sp.seat.room.Room, e.scratch[:from+headSize], e.scratch[from:])
}

// begin starts the talking of all who are there.
func (e *engine) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sending = true
	if err := e.poller.delayAcks(); err != nil {
		e.fail(err)
	}
	for i, s := range e.sessions {
		e.talk(s, i, len(e.sessions))
	}
}

// talk starts a session's talking, the i-th of n that start together. In open
// loop nobody may be due before one who came earlier.
func (e *engine) talk(s *session, i, n int) {
	p, now := e.profile, e.now()
	if len(s.speakers) == 0 {
		return
	}
	if p.Window > 0 {
		for _, sp := range s.speakers {
			for range p.Window {
				e.say(sp, now)
			}
			sp.seat.link.flush()
		}
		return
	}
	period := p.Every
	if p.Rate > 0 {
		talkers := 0
		for _, other := range e.sessions {
			if len(other.speakers) > 0 {
				talkers++
			}
		}
		period = time.Duration(float64(talkers) / p.Rate * float64(time.Second))
		i, n = e.talkers.len(), talkers
	}
	e.talkers.push(talker{session: s, period: period, due: now + period*time.Duration(i)/time.Duration(n)})
}

// look is how long nobody is due at most before who has come is looked for.
const look = 50 * time.Millisecond

// speakDue says what is due and tells when to look again, in open loop. The
// caller holds e.mu.
func (e *engine) speakDue() (again time.Duration) {
	for e.sending && e.talkers.len() > 0 {
		t := e.talkers.first()
		if now := e.now(); t.due > now {
			return min(now+look, t.due)
		}
		sp := t.session.speakers[t.turn%len(t.session.speakers)]
		e.say(sp, t.due)
		sp.seat.link.flush()
		e.talkers.pop()
		t.due += t.period
		t.turn++
		e.talkers.push(t)
	}
	return e.now() + look
}

// stop ends the talking.
func (e *engine) stop() {
	e.mu.Lock()
	e.sending = false
	e.mu.Unlock()
}

// ours tells the message ids of this run.
func (e *engine) ours(id []byte) bool {
	return len(id) == len(e.nonce)+1+headSize && strings.HasPrefix(string(id), e.nonce) && id[len(e.nonce)] == '.'
}
