package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"positivity-exchange/shard/roomlog"
)

// How long a log that refuses is asked again: longer than an election takes.
const (
	retryFor   = 30 * time.Second
	retryEvery = 100 * time.Millisecond
)

// A page of a room; a partition's rooms have one in memory each.
const (
	pageRecords = 128
	pageBytes   = 64 << 10
)

// retry calls f again while the log refuses to answer.
func retry(ctx context.Context, f func() error) error {
	deadline := time.Now().Add(retryFor)
	for {
		err := f()
		if !errors.Is(err, roomlog.ErrRefused) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(retryEvery):
		}
	}
}

// cursor reads one room.
type cursor struct {
	info roomlog.RoomInfo
	head roomlog.Position
	next uint64 // sequence after those in page
	page []roomlog.Record
	made bool // its room line is written
}

// fill makes page hold something if there is something left.
func (c *cursor) fill(ctx context.Context, log roomlog.Log, partition int) error {
	if len(c.page) > 0 || c.next > c.head.Seq {
		return nil
	}
	err := retry(ctx, func() (err error) {
		c.page, err = log.Read(ctx, partition, c.info.Name, c.next, int(min(pageRecords, c.head.Seq-c.next+1)), pageBytes)
		return err
	})
	if err != nil {
		return fmt.Errorf("room %s: %w", c.info.Name, err)
	}
	if len(c.page) == 0 {
		return fmt.Errorf("room %s ends at %d, not at %d: the log has lost its end", c.info.Name, c.next-1, c.head.Seq)
	}
	for i, r := range c.page {
		if r.Seq != c.next+uint64(i) {
			return fmt.Errorf("room %s has a hole at %d", c.info.Name, c.next+uint64(i))
		}
		if !utf8.ValidString(r.User) || !utf8.ValidString(r.ID) || !utf8.ValidString(r.Content) {
			return fmt.Errorf("room %s: record %d is not UTF-8", c.info.Name, r.Seq)
		}
	}
	c.next += uint64(len(c.page))
	return nil
}

// epoch is that of the next line of the room.
func (c *cursor) epoch() uint64 {
	if len(c.page) > 0 {
		return c.page[0].Epoch
	}
	return c.head.Epoch // of its creation: it has no records
}

func (c *cursor) done() bool { return c.made && len(c.page) == 0 && c.next > c.head.Seq }

// cursors lists a partition's rooms by name, each up to its head of now. The
// description may be of another moment; see pinned.
func cursors(ctx context.Context, log roomlog.Log, partition int) (all []*cursor, err error) {
	for after := ""; ; {
		var rooms []roomlog.RoomInfo
		err = retry(ctx, func() (err error) { rooms, err = log.Rooms(ctx, partition, after, 1000); return err })
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", partition, err)
		}
		for _, info := range rooms {
			c := &cursor{info: info, next: 1}
			if c.head, _, err = headOf(ctx, log, partition, info.Name); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
		if len(rooms) < 1000 {
			return all, nil
		}
		after = rooms[len(rooms)-1].Name
	}
}

func headOf(ctx context.Context, log roomlog.Log, partition int, room string) (at roomlog.Position, info roomlog.RoomInfo, err error) {
	err = retry(ctx, func() (err error) { at, info, err = log.Head(ctx, partition, room); return err })
	if err != nil {
		err = fmt.Errorf("room %s: %w", room, err)
	}
	return at, info, err
}

// pinned is cursors whose descriptions are those of the records up to the heads:
// what is read back of an import is compared with both.
func pinned(ctx context.Context, log roomlog.Log, partition int) ([]*cursor, error) {
	all, err := cursors(ctx, log, partition)
	for _, c := range all {
		if err := c.pin(ctx, log, partition); err != nil {
			return nil, err
		}
	}
	return all, err
}

// pin finds the description that belongs to the head, which it may move on: a
// room that is in use gets topics meanwhile, and not even Head says that its two
// answers are of one moment.
func (c *cursor) pin(ctx context.Context, log roomlog.Log, partition int) error {
	_, info, err := headOf(ctx, log, partition, c.info.Name)
	if err != nil {
		return err
	}
	last, _, err := headOf(ctx, log, partition, c.info.Name)
	if err != nil {
		return err
	}
	// If there was no topic between c.head and last, the description is that of
	// all between. If there was, it does not matter what it is.
	between := &cursor{info: info, head: last, next: c.head.Seq + 1}
	c.info = info
	for {
		if err := between.fill(ctx, log, partition); err != nil || len(between.page) == 0 {
			return err
		}
		for _, r := range between.page {
			if r.Kind == roomlog.KindTopic {
				c.head, c.info.Description = roomlog.Position{Seq: r.Seq, Epoch: r.Epoch}, r.Content
			}
		}
		between.page = nil
	}
}

// walk calls room and record for everything of a partition, ordered by epoch,
// room and sequence.
func walk(ctx context.Context, log roomlog.Log, partition int, all []*cursor, room func(roomLine) error, record func(*roomlog.Record) error) error {
	for {
		var epoch uint64
		left := false
		for _, c := range all {
			if err := c.fill(ctx, log, partition); err != nil {
				return err
			}
			if !c.done() && (!left || c.epoch() < epoch) {
				epoch, left = c.epoch(), true
			}
		}
		if !left {
			return nil
		}
		for _, c := range all {
			if c.done() || c.epoch() != epoch {
				continue
			}
			if !c.made {
				if err := room(roomLine{c.info.Name, partition, epoch, c.info.Description}); err != nil {
					return err
				}
				c.made = true
			}
			for len(c.page) > 0 && c.page[0].Epoch == epoch {
				if err := record(&c.page[0]); err != nil {
					return err
				}
				c.page = c.page[1:]
				if err := c.fill(ctx, log, partition); err != nil {
					return err
				}
			}
		}
	}
}

// sum reads a partition and hashes it.
func sum(ctx context.Context, log roomlog.Log, partition int) (endLine, error) {
	all, err := pinned(ctx, log, partition)
	if err != nil {
		return endLine{}, err
	}
	s := newSums()
	err = walk(ctx, log, partition, all,
		func(r roomLine) error { s.room(r.Room, r.Description); return nil },
		func(r *roomlog.Record) error { s.record(r); return nil })
	return s.end(partition), err
}
