package twin

import (
	"context"
	"errors"
	"slices"
	"time"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
)

// Defect names what is wrong with the log on purpose: a test of the test.
type Defect string

// Defects, each of which a run with the right faults must find.
const (
	AckBeforeAppend Defect = "ack-before-append"  // appends are answered first and made later
	NoFence         Defect = "no-fence"           // appends of the deposed are taken, at the end of the room
	SameEpoch       Defect = "same-epoch"         // an acquisition issues no new epoch
	OffByOne        Defect = "read-off-by-one"    // reads begin one record too late
	NoMemory        Defect = "no-memory"          // who takes over does not see what was sent before
	SwappedRooms    Defect = "swapped-rooms"      // two rooms' records are each other's
	Twice           Defect = "stored-twice"       // now and then an append enters twice
	FalseRefusal    Defect = "refused-but-stored" // now and then a refused append is in
	LostAppend      Defect = "lost-append"        // now and then an append is acknowledged and dropped
)

// allDefects lists them.
var allDefects = []Defect{AckBeforeAppend, NoFence, SameEpoch, OffByOne, NoMemory, SwappedRooms, Twice, FalseRefusal, LostAppend}

// plant is one process's access to the store, with the defect.
func (d Defect) plant(c *cluster) roomlog.Log {
	l := c.store.Open()
	if d == "" {
		return l
	}
	return &defective{Log: l, cluster: c, defect: d}
}

// defective is a log with a defect.
type defective struct {
	*memlog.Log
	cluster *cluster
	defect  Defect
	appends int
}

func (l *defective) Owner(ctx context.Context, partition int) (roomlog.Owner, error) {
	o, err := l.Log.Owner(ctx, partition)
	if l.defect == SameEpoch {
		o.Epoch = min(o.Epoch, 1)
	}
	return o, err
}

// real is the owner record as it is, whatever Owner says.
func (l *defective) real(partition int) roomlog.Owner {
	o, _ := l.Log.Owner(context.Background(), partition) //nolint:errcheck // the zero record will do
	return o
}

func (l *defective) Acquire(ctx context.Context, partition int, from, to roomlog.Owner) (roomlog.Owner, error) {
	if l.defect == SameEpoch && from.Epoch == 1 {
		from.Epoch = l.real(partition).Epoch
	}
	o, err := l.Log.Acquire(ctx, partition, from, to)
	if l.defect == SameEpoch {
		o.Epoch = min(o.Epoch, 1)
	}
	return o, err
}

func (l *defective) Release(ctx context.Context, partition int, epoch uint64, r roomlog.Release) error {
	if l.defect == SameEpoch {
		epoch = l.real(partition).Epoch
	}
	return l.Log.Release(ctx, partition, epoch, r)
}

func (l *defective) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	l.appends++
	now := l.appends%20 == 0
	if records[0].Kind == roomlog.KindCreated {
		return l.Log.Append(ctx, partition, l.real(partition).Epoch, records)
	}
	switch l.defect {
	case AckBeforeAppend:
		if o := l.real(partition); o.Epoch != epoch || o.Released {
			return roomlog.ErrFenced
		}
		l.cluster.late.Go(func() {
			time.Sleep(20 * time.Millisecond)
			l.Log.Append(ctx, partition, epoch, records) //nolint:errcheck // that is the defect
		})
		return nil
	case NoFence:
		err := l.Log.Append(ctx, partition, epoch, records)
		if errors.Is(err, roomlog.ErrFenced) {
			return l.Log.Append(ctx, partition, l.real(partition).Epoch, l.behind(partition, records))
		}
		return err
	case SameEpoch:
		return l.Log.Append(ctx, partition, l.real(partition).Epoch, records)
	case Twice:
		err := l.Log.Append(ctx, partition, epoch, records)
		if err == nil && now {
			l.Log.Append(ctx, partition, epoch, l.behind(partition, records)) //nolint:errcheck // that is the defect
		}
		return err
	case FalseRefusal:
		err := l.Log.Append(ctx, partition, epoch, records)
		if err == nil && now {
			return roomlog.ErrRefused
		}
		return err
	case LostAppend:
		if now {
			return nil
		}
	}
	return l.Log.Append(ctx, partition, epoch, records)
}

// behind numbers records to follow what is there.
func (l *defective) behind(partition int, records []roomlog.Record) []roomlog.Record {
	records = slices.Clone(records)
	next := map[string]uint64{}
	for i, r := range records {
		if next[r.Room] == 0 {
			at, _, _ := l.Head(context.Background(), partition, r.Room) //nolint:errcheck // zero will do
			next[r.Room] = at.Seq
		}
		next[r.Room]++
		records[i].Seq = next[r.Room]
	}
	return records
}

func (l *defective) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	if l.defect == NoMemory && limit == 1000 { // a shard that looks for a repeated message
		return nil, nil
	}
	records, err := l.Log.Read(ctx, partition, room, from, limit, maxBytes)
	if l.defect == OffByOne && len(records) > 1 {
		records = records[1:]
	}
	if l.defect == SwappedRooms {
		for i := range records { // no other room of the partition is there to take them from
			records[i].Content = "from another room"
		}
	}
	if l.defect == SameEpoch {
		for i := range records {
			records[i].Epoch = 1
		}
	}
	return records, err
}

func (l *defective) ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	if l.defect == NoMemory {
		return nil, nil
	}
	return l.Log.ReadBack(ctx, partition, room, before, limit, maxBytes)
}
