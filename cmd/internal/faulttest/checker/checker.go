package checker

import (
	"fmt"
	"slices"
)

// Options configures a Checker.
type Options struct {
	// PartitionOf tells which rooms share their epochs. Nil: each room has its own.
	PartitionOf func(room string) int
	// FewestSends and FewestMoves are what a run must have seen at least; 0 means
	// 1, less than 0 none.
	FewestSends, FewestMoves int
}

// perKind is how many breaches of one invariant in one room are listed; the
// others are counted.
const perKind = 3

// Report is what a history showed.
type Report struct {
	Breaches []Breach // the first of each invariant and room
	Breached int      // all of them, also those not listed

	Lines, Rooms                                       int
	Sent, Repeated, Acked, Refused, Unknown, Unsettled int
	Delivered, Moves, Redirects, Disconnects           int
	Events                                             []Occurrence // faults and moves of rooms
	samples                                            map[string][]sample
	served                                             map[string][]Occurrence // each room's owners, the first included
}

// Occurrence is a fault, or a room's move to another owner.
type Occurrence struct {
	Name string // the fault; "" for a move
	Room string // that moved
	Code string // a fault's target, the new owner
	Line int
	At   int64
	Over int64 // when a fault was healed; At if nothing said so
}

// Checker takes the events of one run in order.
type Checker struct {
	opts   Options
	report Report
	rooms  map[string]*room
	owners map[ownership]owner
	count  map[string]int // breaches by invariant and room
	line   int
	last   int64
}

type ownership struct {
	of    any // partition number or room name
	epoch uint64
}

type owner struct {
	who  string
	line int
}

// room is what is known of one room.
type room struct {
	name    string
	sends   map[message]*send
	orders  map[string]int // author -> messages sent
	records map[uint64]*record
	final   []*record
	read    int    // line that says the final history is complete; 0 if none
	length  uint64 // as that line has it
	readers map[string]*reader
	high    uint64 // highest sequence anybody saw
	highAt  int    // line
	epoch   uint64 // highest ownership seen
	owner   string // of that epoch
	samples []sample
	served  []Occurrence
}

type message struct{ author, id string }

type send struct {
	line      int
	order     int // of its author's messages in the room
	hash      uint64
	floor     uint64 // sequence somebody had seen when it was first sent
	floorLine int
	due       int64
	again     bool // the driver repeated it before it was acknowledged: its pause is the driver's
	ackLine   int
	ack       uint64
	failed    int // line
	unknown   int // line
	final     uint64
}

// record is what the first line that named a sequence said of it.
type record struct {
	seq, epoch uint64
	message
	hash      uint64
	line      int
	delivered int // first line that delivered it
	finalLine int
}

type reader struct {
	last    uint64
	line    int
	started bool
	end     int // line
}

// New makes a Checker.
func New(opts Options) *Checker {
	return &Checker{opts: opts, rooms: map[string]*room{}, owners: map[ownership]owner{}, count: map[string]int{}}
}

func (c *Checker) breach(invariant, room string, lines []int, format string, args ...any) {
	c.report.Breached++
	key := invariant + " " + room
	if c.count[key]++; c.count[key] > perKind {
		return
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if len(lines) > 0 && lines[0] == 0 {
		lines = lines[1:]
	}
	c.report.Breaches = append(c.report.Breaches, Breach{Invariant: invariant, Room: room, Lines: lines, Text: fmt.Sprintf(format, args...)})
}

func (c *Checker) room(name string) *room {
	r := c.rooms[name]
	if r == nil {
		r = &room{name: name, sends: map[message]*send{}, orders: map[string]int{}, records: map[uint64]*record{}, readers: map[string]*reader{}}
		c.rooms[name] = r
	}
	return r
}

// Add takes the next event.
func (c *Checker) Add(e Event) {
	c.line++
	if e.Time < c.last {
		c.breach(Run, e.Room, []int{c.line}, "time goes back from %d to %d", c.last, e.Time)
	}
	c.last = e.Time
	if e.Kind == Fault || e.Kind == Heal {
		c.occurrence(e)
		return
	}
	r := c.room(e.Room)
	switch e.Kind {
	case Send:
		c.send(r, e)
	case Ack:
		c.ack(r, e)
	case Error, Unknown:
		c.unacked(r, e)
	case Deliver:
		c.deliver(r, e)
	case Joined:
		c.joined(r, e)
	case Redirect:
		c.report.Redirects++
	case Disconnect:
		c.report.Disconnects++
	case Cut:
		c.breach(I1, r.name, []int{c.line}, "%s was told that the log lost what came after %d", e.Who, e.Seq)
	case End:
		r.reader(e.Who).end = c.line
	case Final:
		c.observe(r, e).finalLine = c.line
		if want := uint64(len(r.final)) + 1; e.Seq != want {
			c.breach(I3, r.name, []int{c.line}, "the history has %d where %d must be", e.Seq, want)
		}
		// What this line says, whatever others said before.
		r.final = append(r.final, &record{seq: e.Seq, epoch: e.Epoch, message: message{e.Author, e.ID}, hash: e.Hash, line: c.line, finalLine: c.line})
	case Read:
		r.read, r.length = c.line, e.Seq
	}
}

func (r *room) reader(who string) *reader {
	if r.readers[who] == nil {
		r.readers[who] = &reader{}
	}
	return r.readers[who]
}

func (c *Checker) send(r *room, e Event) {
	key := message{e.Who, e.ID}
	if s := r.sends[key]; s != nil {
		c.report.Repeated++
		s.again = s.again || s.ackLine == 0
		return
	}
	c.report.Sent++
	due := e.Due
	if due == 0 {
		due = e.Time
	}
	r.sends[key] = &send{line: c.line, order: r.orders[e.Who], hash: e.Hash, floor: r.high, floorLine: r.highAt, due: due}
	r.orders[e.Who]++
}

func (c *Checker) ack(r *room, e Event) {
	s := r.sends[message{e.Who, e.ID}]
	e.Author = e.Who
	switch {
	case s == nil:
		c.breach(I2, r.name, []int{c.line}, "%s got an acknowledgement of %s, which it never sent", e.Who, e.ID)
		return
	case s.failed != 0:
		c.breach(I2, r.name, []int{s.line, s.failed, c.line}, "%s of %s was refused for good and then acknowledged", e.ID, e.Who)
	case s.ackLine != 0 && s.ack != e.Seq:
		c.breach(I2, r.name, []int{s.line, s.ackLine, c.line}, "%s of %s was acknowledged as %d and, repeated, as %d", e.ID, e.Who, s.ack, e.Seq)
	case e.Hash != 0 && e.Hash != s.hash:
		c.breach(I1, r.name, []int{s.line, c.line}, "%s of %s was acknowledged with other bytes", e.ID, e.Who)
	}
	if s.ackLine == 0 {
		c.report.Acked++
		s.ackLine, s.ack = c.line, e.Seq
		if !s.again {
			r.samples = append(r.samples, sample{due: s.due, took: e.Time - s.due, line: c.line})
		}
	}
	e.Hash = s.hash
	c.observe(r, e)
	r.saw(e.Seq, c.line)
}

func (c *Checker) unacked(r *room, e Event) {
	s := r.sends[message{e.Who, e.ID}]
	switch {
	case s == nil:
		c.breach(Run, r.name, []int{c.line}, "%s of %s was never sent", e.ID, e.Who)
	case e.Kind == Unknown:
		c.report.Unknown++
		s.unknown = c.line
	default:
		c.report.Refused++
		s.failed = c.line
		if s.ackLine != 0 {
			c.breach(I2, r.name, []int{s.line, s.ackLine, c.line}, "%s of %s was acknowledged and then refused for good", e.ID, e.Who)
		}
	}
}

// saw notes that somebody knows of seq: what is sent from now on comes after it.
func (r *room) saw(seq uint64, line int) {
	if seq > r.high {
		r.high, r.highAt = seq, line
	}
}

func (c *Checker) deliver(r *room, e Event) {
	c.report.Delivered++
	rec := c.observe(r, e)
	if rec.delivered == 0 {
		rec.delivered = c.line
	}
	r.saw(e.Seq, c.line)
	at := r.reader(e.Who)
	if at.started && e.Seq != at.last+1 {
		c.breach(I3, r.name, []int{at.line, c.line}, "%s was given %d after %d", e.Who, e.Seq, at.last)
	}
	at.started, at.last, at.line = true, e.Seq, c.line
}

// joined notes who serves the room, and where a reader stands.
func (c *Checker) joined(r *room, e Event) {
	if at := r.readers[e.Who]; at != nil && at.started && e.Seq != at.last {
		c.breach(I3, r.name, []int{at.line, c.line}, "%s had %d and goes on after %d", e.Who, at.last, e.Seq)
	}
	if r.orders[e.Who] == 0 {
		at := r.reader(e.Who)
		at.started, at.last, at.line = true, e.Seq, c.line
	}
	if e.Epoch == 0 || e.Owner == "" {
		return
	}
	key := ownership{r.name, e.Epoch}
	if c.opts.PartitionOf != nil {
		key.of = c.opts.PartitionOf(r.name)
	}
	if was, ok := c.owners[key]; !ok {
		c.owners[key] = owner{e.Owner, c.line}
	} else if was.who != e.Owner {
		c.breach(I6, r.name, []int{was.line, c.line}, "epoch %d is %s's and %s's", e.Epoch, was.who, e.Owner)
	}
	if e.Epoch > r.epoch {
		now := Occurrence{Room: r.name, Code: e.Owner, Line: c.line, At: e.Time, Over: e.Time}
		if r.owner != "" && r.owner != e.Owner {
			c.report.Moves++
			c.report.Events = append(c.report.Events, now)
		}
		if r.owner != e.Owner {
			r.served = append(r.served, now)
		}
		r.epoch, r.owner = e.Epoch, e.Owner
	}
}

// observe compares a record with what was said of its sequence before.
func (c *Checker) observe(r *room, e Event) *record {
	rec := r.records[e.Seq]
	now := record{seq: e.Seq, epoch: e.Epoch, message: message{e.Author, e.ID}, hash: e.Hash, line: c.line}
	if rec == nil {
		rec = &now
		r.records[e.Seq] = rec
		return rec
	}
	if rec.epoch != now.epoch || rec.message != now.message || rec.hash != now.hash {
		c.breach(I4, r.name, []int{rec.line, c.line}, "%d is %s and %s", e.Seq, rec, &now)
	}
	return rec
}

func (r *record) String() string {
	return fmt.Sprintf("%s of %s (epoch %d, hash %x)", r.id, r.author, r.epoch, r.hash)
}

func (c *Checker) occurrence(e Event) {
	if e.Kind == Fault {
		c.report.Events = append(c.report.Events, Occurrence{Name: e.Who, Code: e.Code, Line: c.line, At: e.Time, Over: e.Time})
		return
	}
	for i := len(c.report.Events) - 1; i >= 0; i-- {
		if o := &c.report.Events[i]; o.Name == e.Who && o.Over == o.At {
			o.Over = e.Time
			return
		}
	}
	c.breach(Run, "", []int{c.line}, "%q is over and never began", e.Who)
}
