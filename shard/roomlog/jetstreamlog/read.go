package jetstreamlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"positivity-exchange/shard/roomlog"
)

// Bounds of one request for messages.
const (
	pageMessages = 500
	pageBytes    = 4 << 20
)

// errLagging: a replica does not have yet what the leader has.
var errLagging = errors.New("no replica has caught up")

// Head returns the newest position of a room and its description.
func (l *Log) Head(ctx context.Context, partition int, room string) (at roomlog.Position, info roomlog.RoomInfo, err error) {
	p, err := l.part(partition)
	if err != nil {
		return at, info, err
	}
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return at, info, err
	}
	defer done()
	seen := p.seen.Load()
	if !validRoom(room) {
		return at, info, fmt.Errorf("%w: %q", roomlog.ErrNoRoom, room)
	}
	newest, err := l.newestOf(ctx, p, roomSubject(p, room), topicSubject(p, room))
	if err != nil {
		return at, info, err
	}
	at, in, err := headOf(newest[roomSubject(p, room)], room)
	if err != nil {
		return at, info, err
	}
	l.remember(roomSubject(p, room), place{at.Seq, in})
	p.know(room, at.Seq, seen)
	return at, roomlog.RoomInfo{Name: room, Description: string(newest[topicSubject(p, room)].data)}, nil
}

// know spares the first append to a room a read of its head, if nothing was
// written since everything up to seen was.
func (p *part) know(room string, head, seen uint64) {
	if !p.mu.TryLock() {
		return // a write is under way
	}
	defer p.mu.Unlock()
	if p.epoch != 0 && p.last == seen && len(p.rooms) < maxRooms {
		p.rooms[room] = head
	}
}

// head is a room's newest position, and its place in the stream.
func (l *Log) head(ctx context.Context, p *part, room string) (roomlog.Position, uint64, error) {
	if !validRoom(room) {
		return roomlog.Position{}, 0, fmt.Errorf("%w: %q", roomlog.ErrNoRoom, room)
	}
	newest, err := l.newestOf(ctx, p, roomSubject(p, room))
	if err != nil {
		return roomlog.Position{}, 0, err
	}
	return headOf(newest[roomSubject(p, room)], room)
}

func headOf(newest message, room string) (roomlog.Position, uint64, error) {
	if newest.at == 0 {
		return roomlog.Position{}, 0, fmt.Errorf("%w: %s", roomlog.ErrNoRoom, room)
	}
	at, err := decodePosition(newest)
	return at, newest.at, err
}

// newestOf is the newest message of each subject that has one: from whoever has
// our own writes, from the leader if there are none.
func (l *Log) newestOf(ctx context.Context, p *part, subjects ...string) (map[string]message, error) {
	newest := map[string]message{}
	seen := p.seen.Load()
	if seen == 0 {
		for _, s := range subjects {
			m, err := l.leader(ctx, p.stream, request{LastFor: s})
			if err == nil {
				newest[s] = m
			} else if !errors.Is(err, errNone) {
				return nil, err
			}
		}
		return newest, nil
	}
	for {
		// The owner record is always there, and makes the answer tell how far it is.
		found, upTo, err := l.replica(ctx, p.stream, request{MultiLast: append(slices.Clone(subjects), p.owner)})
		if err == nil && upTo >= seen {
			for _, m := range found {
				newest[m.subject] = m
			}
			return newest, nil
		}
		if err == nil {
			err = errLagging
		}
		if ctx.Err() != nil || pause(ctx, 5*time.Millisecond) != nil {
			return nil, unreachable(p.stream, err)
		}
	}
}

// Read returns records from from on, ascending.
func (l *Log) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	p, err := l.part(partition)
	if err != nil {
		return nil, err
	}
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return nil, err
	}
	defer done()
	head, headAt, err := l.head(ctx, p, room)
	from = max(from, 1) // the creation is no record of the conversation
	if err != nil || from > head.Seq || limit < 1 {
		return nil, err
	}
	to := head.Seq
	if span := uint64(limit); span <= to-from {
		to = from + span - 1
	}
	return l.page(ctx, p, room, from, to, maxBytes, place{head.Seq, headAt})
}

// ReadBack returns the newest records below before, ascending.
func (l *Log) ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	p, err := l.part(partition)
	if err != nil {
		return nil, err
	}
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return nil, err
	}
	defer done()
	if high, known := l.exactly(roomSubject(p, room), max(before, 1)-1); known {
		records, err := l.readBack(ctx, p, room, before, limit, maxBytes, high)
		if err == nil {
			return records, nil
		}
		l.forgetHints(roomSubject(p, room)) // a stream that lost its end makes it wrong
		return nil, err
	}
	head, at, err := l.head(ctx, p, room)
	if err != nil {
		return nil, err
	}
	return l.readBack(ctx, p, room, before, limit, maxBytes, place{head.Seq, at})
}

// readBack is ReadBack, high being where the newest of the records stands, or the head.
func (l *Log) readBack(ctx context.Context, p *part, room string, before uint64, limit, maxBytes int, high place) ([]roomlog.Record, error) {
	var records []roomlog.Record // descending
	for to := min(max(before, 1)-1, high.seq); to > 0 && len(records) < limit && maxBytes > 0; {
		n := min(uint64(limit-len(records)), pageMessages, to)
		page, err := l.page(ctx, p, room, to-n+1, to, math.MaxInt, high)
		if err != nil {
			return nil, err
		}
		to -= n
		for _, r := range slices.Backward(page) {
			if maxBytes <= 0 {
				break
			}
			records = append(records, r)
			maxBytes -= len(r.Content)
		}
	}
	slices.Reverse(records)
	return records, nil
}

// page returns the records from..to (all there: to is at most head's), fewer
// once maxBytes of content are reached. A replica's answer is believed only as
// far as it is gap-free; where it ends too early another one is asked.
func (l *Log) page(ctx context.Context, p *part, room string, from, to uint64, maxBytes int, head place) ([]roomlog.Record, error) {
	subject := roomSubject(p, room)
	at, err := l.find(ctx, p.stream, subject, from, head)
	if err != nil {
		return nil, err
	}
	var records []roomlog.Record
	var last place
	for wait := time.Millisecond; from <= to && maxBytes > 0; {
		want := min(to-from+1+nearEnough, pageMessages)
		most := min(min(maxBytes, pageBytes)*3/2+1<<10, int(want)*512+16<<10) // a message may hold many records
		found, _, err := l.replica(ctx, p.stream, request{Seq: at, NextFor: subject, Batch: int(want), MaxBytes: most})
		progress := false
		for _, m := range found {
			pack, err := decode(room, m)
			if err != nil {
				return nil, err
			}
			if pack[0].Seq > from {
				break // a hole
			}
			for _, r := range pack {
				if r.Seq == from && from <= to && maxBytes > 0 {
					records, last = append(records, r), place{r.Seq, m.at}
					from++
					maxBytes -= len(r.Content)
				}
			}
			at, progress = m.at+1, true
		}
		if progress {
			continue
		}
		if err == nil {
			err = errLagging
		}
		if ctx.Err() != nil || pause(ctx, wait) != nil {
			return nil, unreachable(p.stream, err)
		}
		wait = min(2*wait, 50*time.Millisecond)
		if len(records) == 0 { // a stream that lost its end makes remembered places wrong
			l.forgetHints(subject)
			if at, err = l.find(ctx, p.stream, subject, from, head); err != nil {
				return nil, err
			}
		}
	}
	if len(records) > 0 {
		l.remember(subject, last)
	}
	return records, nil
}
