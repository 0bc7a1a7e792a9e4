package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"positivity-exchange/shard/roomlog"
)

// Bounds of one append of an import.
const (
	batchRecords = 256
	batchBytes   = 512 << 10
)

// importer stores what a file says, partition by partition.
type importer struct {
	log   roomlog.Log
	opts  Options
	boot  string // under which it holds partitions, the same when it is started again
	total *total
	of    uint64
	done  uint64 // records stored or found stored

	// Of the partition in hand; -1: none.
	partition int
	s         *sums
	owner     roomlog.Owner
	heads     map[string]uint64 // of rooms that the log has
	before    bool              // an earlier run has given it up whole
	batch     []roomlog.Record
	size      int
}

// Import stores everything of an export in log, which must be empty, unless an
// import of the same export was interrupted there. No shard may use the log
// meanwhile.
func Import(ctx context.Context, log roomlog.Log, r io.Reader, opts Options) (s Summary, err error) {
	opts.defaults()
	in := newLines(r)
	h, err := in.first(opts.Partitions)
	if err != nil {
		return s, err
	}
	i := &importer{log: log, opts: opts, boot: "import-" + h.Log, total: newTotal(), of: h.Records, partition: -1}
	leave, err := i.enroll(ctx)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	for {
		line, err := in.next()
		if err != nil {
			return s, err
		}
		if err := ctx.Err(); err != nil {
			return s, err
		}
		switch line := line.(type) {
		case *roomLine:
			err = i.room(ctx, line)
		case *recordLine:
			err = i.record(ctx, line)
		case *endLine:
			err = i.end(ctx, line)
		case *totalLine:
			if got := i.total.line(); got != *line {
				return s, fmt.Errorf("the export says %s and holds %s: it is damaged", Summary{line.Rooms, line.Records, line.Hash}, i.total.Summary)
			}
			return i.total.Summary, nil
		default:
			err = errors.New("a second header")
		}
		if err != nil {
			return s, fmt.Errorf("line %d: %w", in.n, err)
		}
	}
}

// room makes a room, unless it is there.
func (i *importer) room(ctx context.Context, line *roomLine) error {
	if i.partition < 0 {
		if err := i.begin(ctx, line.Partition); err != nil {
			return err
		}
	}
	if line.Partition != i.partition || i.s.rooms[line.Room] != nil {
		return fmt.Errorf("room %s of partition %d is out of place", line.Room, line.Partition)
	}
	i.s.room(line.Room, line.Description)
	if _, there := i.heads[line.Room]; there {
		return nil
	}
	// Its description is the newest topic's; a topic's record says it again.
	return i.add(ctx, line.Epoch, roomlog.Record{Room: line.Room, Kind: roomlog.KindCreated, Content: line.Description})
}

func (i *importer) record(ctx context.Context, line *recordLine) error {
	if i.partition < 0 || i.s.rooms[line.In] == nil {
		return fmt.Errorf("a record of %s, which has no line before", line.In)
	}
	r := line.record()
	i.s.record(r)
	if head, there := i.heads[r.Room]; there && r.Seq <= head {
		i.done++
		i.opts.Progress(i.done, i.of)
		return nil
	}
	return i.add(ctx, r.Epoch, *r)
}

// add puts a record into the batch, which holds one epoch.
func (i *importer) add(ctx context.Context, epoch uint64, r roomlog.Record) error {
	r.Epoch = epoch
	if len(i.batch) > 0 && (i.batch[0].Epoch != epoch || len(i.batch) == batchRecords || i.size+len(r.Content) > batchBytes) {
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	i.batch = append(i.batch, r)
	i.size += len(r.Content)
	return nil
}

// begin looks at what the log has of a partition.
func (i *importer) begin(ctx context.Context, partition int) error {
	if partition < 0 || partition >= i.opts.Partitions {
		return fmt.Errorf("there is no partition %d", partition)
	}
	i.partition, i.s, i.heads, i.before = partition, newSums(), map[string]uint64{}, false
	err := retry(ctx, func() (err error) { i.owner, err = i.log.Owner(ctx, partition); return err })
	if err != nil || i.owner.Epoch == 0 {
		return err
	}
	if i.owner.Boot != i.boot {
		return fmt.Errorf("partition %d of the log is in use already (epoch %d of %s): an import needs an empty log", partition, i.owner.Epoch, i.owner.Name)
	}
	i.before = i.owner.Released
	return i.look(ctx)
}

// look reads the heads of all rooms there are.
func (i *importer) look(ctx context.Context) error {
	all, err := cursors(ctx, i.log, i.partition)
	for _, c := range all {
		i.heads[c.info.Name] = c.head.Seq
	}
	if err != nil {
		return fmt.Errorf("partition %d: %w", i.partition, err)
	}
	return nil
}

// flush stores the batch under its epoch.
func (i *importer) flush(ctx context.Context) error {
	if len(i.batch) == 0 {
		return nil
	}
	batch := i.batch
	defer func() { i.batch, i.size = i.batch[:0], 0 }()
	if i.before {
		return fmt.Errorf("partition %d was imported before and has lost records since", i.partition)
	}
	epoch := batch[0].Epoch
	if epoch < i.owner.Epoch {
		return fmt.Errorf("epoch %d after %d: the export is damaged, or the log was changed by others", epoch, i.owner.Epoch)
	}
	for i.owner.Epoch < epoch {
		if err := retry(ctx, func() error { return i.acquire(ctx) }); err != nil {
			return err
		}
	}
	return retry(ctx, func() error {
		err := i.log.Append(ctx, i.partition, epoch, batch)
		if err == nil {
			for _, r := range batch {
				i.heads[r.Room] = max(i.heads[r.Room], r.Seq)
				if r.Kind != roomlog.KindCreated {
					i.done++
				}
			}
			i.opts.Progress(i.done, i.of)
			return nil
		}
		// What is in already, now or from an attempt without an answer, is left out.
		if lookErr := i.look(ctx); lookErr != nil {
			return errors.Join(err, lookErr)
		}
		batch = i.missing(batch)
		if len(batch) == 0 {
			return nil
		}
		if errors.Is(err, roomlog.ErrUnknown) {
			return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
		}
		return err
	})
}

// missing is what of batch the log does not have.
func (i *importer) missing(batch []roomlog.Record) (left []roomlog.Record) {
	for _, r := range batch {
		head, there := i.heads[r.Room]
		switch {
		case r.Kind == roomlog.KindCreated && r.Seq == 0:
			if !there {
				left = append(left, r)
			}
		case !there || r.Seq > head:
			left = append(left, r)
		default:
			i.done++
		}
	}
	return left
}

// acquire takes the next epoch: an export's epochs are kept, so that clients
// find what they have seen.
func (i *importer) acquire(ctx context.Context) error {
	own, err := i.log.Acquire(ctx, i.partition, i.owner, roomlog.Owner{Name: importName, Boot: i.boot})
	if err == nil {
		i.owner = own
		return nil
	}
	// Perhaps it is in, and the answer was lost.
	now, readErr := i.log.Owner(ctx, i.partition)
	if readErr == nil && now.Epoch == i.owner.Epoch+1 && now.Boot == i.boot {
		i.owner = now
		return nil
	}
	if errors.Is(err, roomlog.ErrUnknown) {
		return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
	}
	return err
}

// end stores the rest of a partition, reads all of it back, compares, and gives
// it up.
func (i *importer) end(ctx context.Context, line *endLine) error {
	if i.partition != line.End {
		return fmt.Errorf("the end of partition %d is out of place", line.End)
	}
	if err := i.flush(ctx); err != nil {
		return err
	}
	if got := i.s.end(i.partition); got != *line {
		return fmt.Errorf("partition %d of the export says %d rooms, %d records, sha256 %s and holds %d, %d, %s: it is damaged", line.End, line.Rooms, line.Records, line.Hash, got.Rooms, got.Records, got.Hash)
	}
	stored, err := sum(ctx, i.log, i.partition)
	if err != nil {
		return err
	}
	if stored != *line {
		return fmt.Errorf("partition %d holds %d rooms, %d records, sha256 %s and not what the export says: %d, %d, %s", line.End, stored.Rooms, stored.Records, stored.Hash, line.Rooms, line.Records, line.Hash)
	}
	if !i.before {
		if err := retry(ctx, func() error { return i.release(ctx) }); err != nil {
			return err
		}
	}
	i.log.CloseIdle(i.partition)
	i.total.add(*line)
	i.partition = -1
	return nil
}

func (i *importer) release(ctx context.Context) error {
	err := i.log.Release(ctx, i.partition, i.owner.Epoch, roomlog.Release{})
	if err == nil {
		return nil
	}
	now, readErr := i.log.Owner(ctx, i.partition)
	if readErr == nil && now.Epoch == i.owner.Epoch && now.Released {
		return nil
	}
	if errors.Is(err, roomlog.ErrUnknown) {
		return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
	}
	return err
}
