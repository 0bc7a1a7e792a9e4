package jetstreamlog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"positivity-exchange/shard/failpoint"
	"positivity-exchange/shard/roomlog"
)

func roomSubject(p *part, room string) string  { return p.filter[:len(p.filter)-1] + room }
func topicSubject(p *part, room string) string { return roomSubject(p, room) + ".topic" }

// validRoom tells whether a room's name can be one token of a subject, and none
// of px's own.
func validRoom(name string) bool { return validToken(name) && name[0] != '_' }

// Append stores all records in one batch, or none.
func (l *Log) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	p, err := l.part(partition)
	if err != nil || len(records) == 0 {
		return err
	}
	ctx, done, err := l.begin(ctx, appendFor)
	if err != nil {
		return err
	}
	defer done()
	p.mu.Lock()
	defer p.mu.Unlock()
	failpoint.Hit("roomlog.append.beforeBegin")
	if failpoint.Fails("roomlog.append.refuse") {
		return fmt.Errorf("%w: a failpoint", roomlog.ErrRefused)
	}
	for {
		err := l.append(ctx, p, epoch, records)
		if errors.Is(err, errStale) {
			p.forget() // deposed, or an earlier write of ours came late
			continue
		}
		if errors.Is(err, roomlog.ErrUnknown) {
			p.forget()
		}
		if err != nil {
			return fmt.Errorf("append to partition %d: %w", partition, err)
		}
		failpoint.Hit("roomlog.append.afterCommit")
		if failpoint.Fails("roomlog.append.lose") {
			p.forget()
			return fmt.Errorf("%w: a failpoint", roomlog.ErrUnknown)
		}
		return nil
	}
}

func (l *Log) append(ctx context.Context, p *part, epoch uint64, records []roomlog.Record) error {
	if err := l.ready(ctx, p, epoch); err != nil {
		return err
	}
	heads, err := l.number(ctx, p, records)
	if err != nil {
		return err
	}
	msgs := make([]*nats.Msg, 0, len(records)+1)
	topics := map[string]string{}
	for i := range records {
		r := &records[i]
		if r.Kind == roomlog.KindCreated || r.Kind == roomlog.KindTopic {
			topics[r.Room] = r.Content
		}
	}
	for room, text := range topics {
		m := nats.NewMsg(topicSubject(p, room))
		m.Data = []byte(text)
		m.Header.Set(headerRollup, "sub")
		msgs = append(msgs, m)
	}
	var newest *roomlog.Record // of the message that decides
	for _, records := range packs(records) {
		m, err := encode(p, epoch, records)
		if err != nil {
			return err
		}
		msgs, newest = append(msgs, m), records[len(records)-1]
	}
	expect(msgs[0], p.filter, p.last)
	expect(msgs[len(msgs)-1], p.filter, p.last)
	at, err := l.write(ctx, msgs, "roomlog.append.inTx", func(ctx context.Context, inTheWay uint64) (uint64, bool, error) {
		return l.stored(ctx, p, epoch, newest, inTheWay)
	})
	if errors.Is(err, errStale) && 0 < at && at < p.last {
		// Not forgotten: what is asked next is as wrong, until the owner acquires anew.
		return fmt.Errorf("%w: %w: the partition ends at %d of stream %s, not at %d", roomlog.ErrRefused, roomlog.ErrLostEnd, at, p.stream, p.last)
	}
	if err != nil {
		return err
	}
	if at == 0 { // in, and others have written since
		p.forget()
		return nil
	}
	p.last = at
	p.seen.Store(at)
	if len(p.rooms)+len(heads) > maxRooms {
		p.rooms = map[string]uint64{}
	}
	for room, seq := range heads {
		p.rooms[room] = seq
	}
	return nil
}

// stored looks whether r is in under epoch, which is ours alone, and where: 0 if
// it is not the partition's newest message. A replica is asked that has what was
// in the way, which may be r itself, or the leader if that is not known (0).
func (l *Log) stored(ctx context.Context, p *part, epoch uint64, r *roomlog.Record, inTheWay uint64) (at uint64, in bool, err error) {
	p.seen.Store(inTheWay)
	head, headAt, err := l.head(ctx, p, r.Room)
	if errors.Is(err, roomlog.ErrNoRoom) || err == nil && head.Seq < r.Seq {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	from, err := l.find(ctx, p.stream, roomSubject(p, r.Room), r.Seq, place{head.Seq, headAt})
	for err == nil {
		var m message
		if m, err = l.next(ctx, p.stream, roomSubject(p, r.Room), from); err != nil {
			break
		}
		var found []roomlog.Record
		if found, err = decode(r.Room, m); err != nil || found[len(found)-1].Seq < r.Seq {
			from = m.at + 1
			continue
		}
		want := *r
		want.Epoch = epoch
		if !slices.Contains(found, want) {
			return 0, false, nil
		}
		newest, err := l.newest(ctx, p)
		if newest != m.at {
			return 0, true, err
		}
		return m.at, true, err
	}
	return 0, false, err
}

// number checks that records follow their rooms' heads, and returns the heads to be.
func (l *Log) number(ctx context.Context, p *part, records []roomlog.Record) (map[string]uint64, error) {
	heads := map[string]uint64{}
	for i := range records {
		r := &records[i]
		if !validRoom(r.Room) {
			return nil, fmt.Errorf("%w: %q cannot name a room", roomlog.ErrRefused, r.Room)
		}
		head, known := heads[r.Room]
		if !known {
			var err error
			if head, known, err = l.headForWrite(ctx, p, r.Room); err != nil {
				return nil, err
			}
		}
		switch {
		case r.Kind == roomlog.KindCreated && known:
			return nil, fmt.Errorf("%w: %s", roomlog.ErrRoomExists, r.Room)
		case r.Kind == roomlog.KindCreated:
			heads[r.Room] = 0
		case !known:
			return nil, fmt.Errorf("%w: %s", roomlog.ErrNoRoom, r.Room)
		case r.Seq > head+1:
			l.forgetHints(roomSubject(p, r.Room))
			return nil, fmt.Errorf("%w: %w: %s ends at %d, and %d is to follow", roomlog.ErrRefused, roomlog.ErrLostEnd, r.Room, head, r.Seq)
		case r.Seq != head+1:
			return nil, fmt.Errorf("%w: sequence %d of %s, not %d", roomlog.ErrRefused, r.Seq, r.Room, head+1)
		default:
			heads[r.Room] = r.Seq
		}
	}
	return heads, nil
}

// headForWrite is a room's newest sequence as of p.last.
func (l *Log) headForWrite(ctx context.Context, p *part, room string) (seq uint64, known bool, err error) {
	if seq, known = p.rooms[room]; known {
		return seq, true, nil
	}
	at, _, err := l.head(ctx, p, room)
	if errors.Is(err, roomlog.ErrNoRoom) {
		return 0, false, nil
	}
	return at.Seq, err == nil, err
}
