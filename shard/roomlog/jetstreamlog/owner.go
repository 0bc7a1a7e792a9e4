package jetstreamlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"positivity-exchange/shard/failpoint"
	"positivity-exchange/shard/roomlog"
)

// errOvertaken: a later owner's record hides whether ours was ever there.
var errOvertaken = errors.New("the partition has a later owner by now")

// ownerRecord is an owner record as stored.
type ownerRecord struct {
	Epoch    uint64 `json:"epoch"`
	Name     string `json:"name"`
	Boot     string `json:"boot"`
	Addr     string `json:"addr"`
	Released bool   `json:"released,omitempty"`
	NextName string `json:"next_name,omitempty"`
	NextAddr string `json:"next_addr,omitempty"`
	Handover []byte `json:"handover,omitempty"`
}

// Owner reads a partition's owner record.
func (l *Log) Owner(ctx context.Context, partition int) (roomlog.Owner, error) {
	p, err := l.part(partition)
	if err != nil {
		return roomlog.Owner{}, err
	}
	ctx, done, err := l.begin(ctx, readFor)
	if err != nil {
		return roomlog.Owner{}, err
	}
	defer done()
	if err := l.led(ctx, p.stream); err != nil {
		return roomlog.Owner{}, err
	}
	o, _, err := l.readOwner(ctx, p)
	return o, err
}

// ownerAt is an owner record and the stream sequence it stands at.
type ownerAt struct {
	roomlog.Owner
	at uint64
}

// readOwner returns the record and the stream sequence it stands at (0: none).
func (l *Log) readOwner(ctx context.Context, p *part) (roomlog.Owner, uint64, error) {
	m, err := l.leader(ctx, p.stream, request{LastFor: p.owner})
	if errors.Is(err, errNone) {
		p.record.Store(&ownerAt{})
		return roomlog.Owner{}, 0, nil
	}
	if err != nil {
		return roomlog.Owner{}, 0, fmt.Errorf("owner of partition %d: %w", p.number, err)
	}
	var r ownerRecord
	if err := json.Unmarshal(m.data, &r); err != nil {
		return roomlog.Owner{}, 0, fmt.Errorf("%w: the owner record of partition %d is damaged: %w", roomlog.ErrRefused, p.number, err)
	}
	o := roomlog.Owner(r)
	kept := o
	kept.Handover = nil // it may be large, and is its reader's alone
	p.record.Store(&ownerAt{kept, m.at})
	return o, m.at, nil
}

// newest is the stream sequence of the partition's newest message.
func (l *Log) newest(ctx context.Context, p *part) (uint64, error) {
	m, err := l.leader(ctx, p.stream, request{LastFor: p.filter})
	if errors.Is(err, errNone) {
		return 0, nil
	}
	return m.at, err
}

func ownerMessage(p *part, o roomlog.Owner) (*nats.Msg, error) {
	b, err := json.Marshal(ownerRecord(o))
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(p.owner)
	m.Data = b
	m.Header.Set(headerRollup, "sub")
	return m, nil
}

// Acquire makes to the holder under the next epoch.
//
// It must win against a holder that goes on writing, and never against another
// acquire: so it expects two things at once, the newest message of the
// partition (which makes the deposed owner's writes stale) and the owner record
// that was read (which the first alone would not notice to have changed, when
// it is tried again with the sequence that was in the way).
func (l *Log) Acquire(ctx context.Context, partition int, from, to roomlog.Owner) (roomlog.Owner, error) {
	p, err := l.part(partition)
	if err != nil {
		return roomlog.Owner{}, err
	}
	ctx, done, err := l.begin(ctx, ownerFor)
	if err != nil {
		return roomlog.Owner{}, err
	}
	defer done()
	to.Epoch, to.Released, to.NextName, to.NextAddr, to.Handover = from.Epoch+1, false, "", "", nil
	p.mu.Lock()
	defer p.mu.Unlock()
	// The caller has just read what it acquires from: if that has changed since,
	// the record is stale, and is read again.
	now := p.record.Load()
	for first := true; ; first = false {
		if !first || now == nil || !sameOwner(now.Owner, from) {
			o, at, err := l.readOwner(ctx, p)
			if err != nil {
				return roomlog.Owner{}, err
			}
			now = &ownerAt{o, at}
		}
		if !sameOwner(now.Owner, from) {
			return roomlog.Owner{}, fmt.Errorf("acquire partition %d: %w: epoch %d of %s", partition, roomlog.ErrConflict, now.Epoch, now.Name)
		}
		at, err := l.take(ctx, p, now, to)
		switch {
		case errors.Is(err, errStale):
			continue // the record has changed: look again
		case err != nil:
			p.forget()
			return roomlog.Owner{}, fmt.Errorf("acquire partition %d: %w", partition, err)
		}
		failpoint.Hit("roomlog.acquire.afterCommit")
		p.epoch, p.last, p.rooms = to.Epoch, at, map[string]uint64{}
		p.seen.Store(at)
		p.record.Store(&ownerAt{to, at})
		return to, nil
	}
}

func sameOwner(a, b roomlog.Owner) bool {
	return a.Epoch == b.Epoch && a.Boot == b.Boot && (a.Epoch == 0 || a.Released == b.Released)
}

// take writes the record over another, whatever else the holder writes
// meanwhile; errStale if that changed.
func (l *Log) take(ctx context.Context, p *part, over *ownerAt, to roomlog.Owner) (uint64, error) {
	newest := over.at // behind a release nothing is written: a guess, else put right below
	if !over.Released {
		var err error
		if newest, err = l.newest(ctx, p); err != nil {
			return 0, err
		}
	}
	record, err := ownerMessage(p, to)
	if err != nil {
		return 0, err
	}
	taken := nats.NewMsg(p.taken)
	taken.Header.Set(headerRollup, "sub")
	expect(taken, p.owner, over.at)
	ours := func(ctx context.Context, _ uint64) (uint64, bool, error) { // the leader is asked
		now, at, err := l.readOwner(ctx, p)
		if err == nil && now.Epoch > to.Epoch {
			err = errOvertaken
		}
		return at, err == nil && now.Epoch == to.Epoch && now.Boot == to.Boot, err
	}
	for {
		expect(record, p.filter, newest)
		at, err := l.write(ctx, []*nats.Msg{taken, record}, "roomlog.acquire.inTx", ours)
		if !errors.Is(err, errStale) || at <= newest {
			return at, err
		}
		newest = at // the holder wrote in between: at once again, behind that
		if ctx.Err() != nil {
			return 0, unreachable(p.stream, ctx.Err())
		}
	}
}

// ready makes p know what a write under epoch depends on. The caller holds p.mu.
func (l *Log) ready(ctx context.Context, p *part, epoch uint64) error {
	if p.epoch == epoch && epoch != 0 {
		return nil
	}
	// In this order: what is written after the first read makes a write stale.
	newest, err := l.newest(ctx, p)
	if err != nil {
		return err
	}
	now, _, err := l.readOwner(ctx, p)
	if err != nil {
		return err
	}
	if now.Epoch != epoch || now.Released || epoch == 0 {
		return fmt.Errorf("%w: epoch %d, not %d", roomlog.ErrFenced, now.Epoch, epoch)
	}
	p.epoch, p.last, p.rooms = epoch, newest, map[string]uint64{}
	p.seen.Store(newest)
	return nil
}

// Release gives the partition up if it is still held under epoch.
func (l *Log) Release(ctx context.Context, partition int, epoch uint64, r roomlog.Release) error {
	p, err := l.part(partition)
	if err != nil {
		return err
	}
	ctx, done, err := l.begin(ctx, ownerFor)
	if err != nil {
		return err
	}
	defer done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := l.release(ctx, p, epoch, r); !errors.Is(err, errStale) {
			p.forget()
			if err != nil {
				return fmt.Errorf("release partition %d: %w", partition, err)
			}
			failpoint.Hit("roomlog.release.afterCommit")
			return nil
		}
		p.forget()
	}
}

func (l *Log) release(ctx context.Context, p *part, epoch uint64, r roomlog.Release) error {
	if err := l.ready(ctx, p, epoch); err != nil {
		return err
	}
	var o roomlog.Owner
	if known := p.record.Load(); known != nil && known.Epoch == epoch && !known.Released {
		o = known.Owner // if it has changed since, the release is stale
	} else {
		var err error
		if o, _, err = l.readOwner(ctx, p); err != nil {
			return err
		}
	}
	if o.Epoch != epoch || o.Released {
		return fmt.Errorf("%w: epoch %d of %s", roomlog.ErrFenced, o.Epoch, o.Name)
	}
	o.Released, o.NextName, o.NextAddr, o.Handover = true, r.NextName, r.NextAddr, r.Handover
	m, err := ownerMessage(p, o)
	if err != nil {
		return err
	}
	expect(m, p.filter, p.last)
	_, err = l.write(ctx, []*nats.Msg{m}, "roomlog.release.inTx", func(ctx context.Context, _ uint64) (uint64, bool, error) {
		now, at, err := l.readOwner(ctx, p)
		if err == nil && now.Epoch > epoch {
			err = errOvertaken
		}
		return at, err == nil && now.Epoch == epoch && now.Released, err
	})
	p.record.Store(nil) // whatever became of it
	return err
}
