package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"positivity-exchange/client"
	"positivity-exchange/cmd/internal/faulttest/checker"
	"positivity-exchange/comms"
)

// writer is a person who sends on a beat. What is late counts from when it was
// due. Now and then it repeats an old message under its id, as a person whose
// program was restarted does; with restarts set it starts a new session every
// few seconds and sends what is unacknowledged again.
type writer struct {
	load          *Load
	room, user    string
	every, offset time.Duration
	rand          *rand.Rand
	restarts      bool

	session *client.Session
	prefix  string // of the session's message ids
	next    uint64 // number of its next id
	scratch int    // quiet rooms so far
	last    uint64 // highest sequence seen in the room
	n       int
	waiting map[string]*posted
	order   []string  // ids of waiting messages, as posted
	old     []*posted // acknowledged, some of them
}

// posted is a message of a writer's.
type posted struct {
	id, content string
	due         time.Time
	seen        uint64 // what the writer had seen of the room when it posted
}

// come logs in and joins the room.
//
// The history must have a send before anybody can see it, so the id must be
// known before Post returns it. Ids of a session are a prefix and a counter: the
// first message shows the prefix; it goes to a quiet room, where nobody reads.
func (w *writer) come(ctx context.Context) error {
	s, err := w.load.connect(ctx, w.user)
	if err != nil {
		return fmt.Errorf("%s: %w", w.user, err)
	}
	w.session = s
	if err := w.introduce(ctx); err != nil {
		s.Close() //nolint:errcheck // never fails
		return fmt.Errorf("%s: %w", w.user, err)
	}
	limited, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if err := s.Join(limited, w.room, nil); err != nil {
		s.Close() //nolint:errcheck // never fails
		return fmt.Errorf("%s: join #%s: %w", w.user, w.room, err)
	}
	w.load.came(w.room, w.user, 1)
	return nil
}

func (w *writer) introduce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	quiet := w.load.newQuiet(fmt.Sprintf("q-%s-%d", w.user, w.scratch))
	w.scratch++
	if err := createRoom(ctx, w.session, quiet); err != nil {
		return err
	}
	if err := w.session.Join(ctx, quiet, nil); err != nil {
		return fmt.Errorf("join #%s: %w", quiet, err)
	}
	content := "here is " + w.user
	id, err := w.session.Post(quiet, content)
	if err != nil {
		return err
	}
	at := w.load.log.Add(checker.Event{Kind: checker.Send, Room: quiet, Who: w.user, ID: id, Hash: checker.Hash(content)})
	for {
		select {
		case e, ok := <-w.session.Events():
			if !ok {
				return client.ErrClosed
			}
			m, is := e.(client.Message)
			if !is || m.Room != quiet || m.ID != id {
				continue
			}
			w.load.log.Add(checker.Event{Kind: checker.Ack, Room: quiet, Who: w.user, ID: id, Seq: m.Seq, Epoch: m.Epoch, Hash: checker.Hash(m.Content)})
			prefix, number, _ := strings.Cut(id, ".")
			n, err := strconv.ParseUint(number, 36, 64)
			if err != nil {
				return fmt.Errorf("the id %q is not a prefix and a number", id)
			}
			w.prefix, w.next = prefix+".", n+1
			return nil // it stays: people are in more rooms than one
		case <-ctx.Done():
			return fmt.Errorf("the message to #%s, sent at %d, is not acknowledged: %w", quiet, at, ctx.Err())
		}
	}
}

// run writes until the load's writers end, then waits for what is unacknowledged.
func (w *writer) run(start <-chan struct{}) {
	defer func() { w.session.Close() }() //nolint:errcheck // never fails; it is another session after a restart
	defer w.load.came(w.room, w.user, -1)
	ctx := w.load.talking
	begun := false
	due := time.Now()
	beat := time.NewTimer(time.Hour)
	defer beat.Stop()
	var restart <-chan time.Time
	done, over := ctx.Done(), (<-chan time.Time)(nil)
	for done != nil || len(w.waiting) > 0 {
		events := w.session.Events()
		select {
		case <-start:
			start, begun = nil, true
			due = time.Now().Add(w.offset)
			beat.Reset(time.Until(due))
			if w.restarts {
				restart = time.After(w.restartIn())
			}
		case <-done:
			done, restart, over = nil, nil, time.After(w.load.opts.Grace)
		case <-over:
			w.giveUp()
			return
		case <-beat.C:
			if done == nil || !begun {
				continue
			}
			if !w.post(due) {
				return
			}
			due = due.Add(w.every)
			beat.Reset(time.Until(due))
		case <-restart:
			restart = time.After(w.restartIn())
			if err := w.again(w.load.reading); err != nil {
				w.load.fail("%s: start again: %w", w.user, err)
				w.giveUp()
				return
			}
			if now := time.Now(); due.Before(now) {
				due = now // what would have been due meanwhile was not
				beat.Reset(0)
			}
		case e, ok := <-events:
			if !ok {
				w.load.fail("%s: the session has ended", w.user)
				w.giveUp()
				return
			}
			w.event(e)
		}
	}
}

func (w *writer) restartIn() time.Duration { return 4*time.Second + rand.N(8*time.Second) }

// post sends the next message, or repeats an old one beside it.
func (w *writer) post(due time.Time) bool {
	w.n++
	p := &posted{id: w.prefix + strconv.FormatUint(w.next, 36), due: due, seen: w.last}
	p.content = fmt.Sprintf("%s %s %d %s", w.room, w.user, w.n, payload(w.rand))
	w.next++
	w.sends(p)
	id, err := w.session.Post(w.room, p.content)
	if err != nil || id != p.id {
		w.load.fail("%s: post in #%s: id %q, want %q; %v", w.user, w.room, id, p.id, err)
		return false
	}
	if len(w.old) > 0 && w.rand.IntN(20) == 0 {
		if old := w.old[w.rand.IntN(len(w.old))]; w.waiting[old.id] == nil {
			w.repeat(old)
		}
	}
	return true
}

func (w *writer) sends(p *posted) {
	w.waiting[p.id] = p
	w.order = append(w.order, p.id)
	w.load.log.Add(checker.Event{Kind: checker.Send, Room: w.room, Who: w.user, ID: p.id, Hash: checker.Hash(p.content), Due: w.load.since(p.due)})
}

func (w *writer) repeat(p *posted) {
	w.sends(p)
	if err := w.session.Repost(w.room, p.content, p.id, p.seen); err != nil {
		w.load.fail("%s: repost in #%s: %w", w.user, w.room, err)
	}
}

// again is what a person does whose program was restarted: a new session of
// the same user, which sends what is unacknowledged again.
func (w *writer) again(ctx context.Context) error {
	w.session.Close() //nolint:errcheck // never fails
	for e := range w.session.Events() {
		w.event(e)
	}
	w.load.log.Add(checker.Event{Kind: checker.Disconnect, Room: w.room, Who: w.user, Code: "restart"})
	w.load.came(w.room, w.user, -1)
	for {
		err := w.come(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		w.load.logf("%s comes again: %v", w.user, err)
	}
	for _, id := range slices.Clone(w.order) {
		p := w.waiting[id]
		delete(w.waiting, id)
		w.order = w.order[1:]
		w.repeat(p)
	}
	return nil
}

func (w *writer) event(e client.Event) {
	switch e := e.(type) {
	case client.Message:
		if e.Room != w.room || e.Kind != comms.KindMessage {
			return
		}
		w.last = max(w.last, e.Seq)
		if e.Mine && w.waiting[e.ID] != nil {
			w.acked(e)
		}
	case client.SendFailed:
		if e.Room == w.room && w.waiting[e.ID] != nil {
			w.load.log.Add(checker.Event{Kind: checker.Error, Room: w.room, Who: w.user, ID: e.ID, Code: fmt.Sprint(e.Err)})
			w.settled(e.ID)
		}
	case client.RoomLink:
		w.load.link(e, w.room, w.user, 0)
	case client.Cut:
		if e.Room == w.room {
			w.load.log.Add(checker.Event{Kind: checker.Cut, Room: w.room, Who: w.user, Seq: e.At})
		}
	}
}

func (w *writer) acked(m client.Message) {
	p := w.waiting[m.ID]
	w.load.log.Add(checker.Event{Kind: checker.Ack, Room: w.room, Who: w.user, ID: m.ID, Seq: m.Seq, Epoch: m.Epoch, Hash: checker.Hash(m.Content)})
	w.settled(m.ID)
	if len(w.old) < 50 {
		w.old = append(w.old, p)
	} else {
		w.old[w.rand.IntN(len(w.old))] = p
	}
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	r := w.load.room(w.room)
	r.acked++
	if p.due.After(r.last) {
		r.last = p.due
	}
}

func (w *writer) settled(id string) {
	delete(w.waiting, id)
	if i := slices.Index(w.order, id); i >= 0 {
		w.order = slices.Delete(w.order, i, i+1)
	}
}

func (w *writer) giveUp() {
	for _, id := range w.order {
		w.load.log.Add(checker.Event{Kind: checker.Unknown, Room: w.room, Who: w.user, ID: id})
	}
}

// link writes what became of a session's way to a room.
func (l *Load) link(e client.RoomLink, room, who string, last uint64) {
	if e.Room != room {
		return
	}
	switch e.State {
	case client.LinkUp:
		l.served(room, who, last, e.Epoch, e.Shard, e.Addr)
	case client.LinkReconnecting:
		l.log.Add(checker.Event{Kind: checker.Disconnect, Room: room, Who: who, Code: fmt.Sprint(e.Err)})
	}
}
