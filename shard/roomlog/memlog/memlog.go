// Package memlog is a room log in memory, for tests: several simulated
// processes share a Store, each through a Log of its own that can be cut off
// or made to lose answers. It passes the same conformance suite as the durable
// ones and keeps nothing.
package memlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"positivity-exchange/shard/roomlog"
)

// Store is what the processes share. Make it with NewStore.
type Store struct {
	mu    sync.Mutex
	parts map[int]*part
	roll  map[string]roomlog.Entry // by boot
}

type part struct {
	owner roomlog.Owner
	rooms map[string]*room
}

type room struct {
	info    roomlog.RoomInfo
	created uint64           // epoch of the creation
	records []roomlog.Record // record i has sequence i+1
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{parts: map[int]*part{}, roll: map[string]roomlog.Entry{}}
}

// Open is one process's access.
func (s *Store) Open() *Log { return &Log{store: s} }

// Log is one process's access to a Store.
type Log struct {
	store *Store

	// Guarded by the store's mu.
	cut  bool
	lose int
}

var _ roomlog.Log = (*Log)(nil)

var errCut = errors.New("the log cannot be reached")

// Cut cuts this process off the store: every call fails, certainly without effect.
func (l *Log) Cut(cut bool) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.cut = cut
}

// LoseAnswers makes the next n acquires, releases and appends take effect and
// answer ErrUnknown.
func (l *Log) LoseAnswers(n int) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.lose = n
}

// enter locks the store; a cut log gets an error and no lock.
func (l *Log) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", roomlog.ErrRefused, err)
	}
	l.store.mu.Lock()
	if l.cut {
		l.store.mu.Unlock()
		return fmt.Errorf("%w: %w", roomlog.ErrRefused, errCut)
	}
	return nil
}

// answer is nil, or ErrUnknown if the answer is to be lost.
func (l *Log) answer() error {
	if l.lose > 0 {
		l.lose--
		return roomlog.ErrUnknown
	}
	return nil
}

// Identity names the log.
func (l *Log) Identity() string { return "memory" }

// Register puts p on the roll.
func (l *Log) Register(ctx context.Context, p roomlog.Process) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	l.store.roll[p.Boot] = roomlog.Entry{Process: p, Beat: 1}
	return nil
}

// Beat renews the entry of boot.
func (l *Log) Beat(ctx context.Context, boot string, wants []int) ([]roomlog.Entry, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	own, ok := l.store.roll[boot]
	if !ok {
		return nil, fmt.Errorf("%w: no entry of %s", roomlog.ErrNameTaken, boot)
	}
	for _, e := range l.store.roll {
		if e.Name == own.Name && e.Boot > boot {
			return nil, fmt.Errorf("%w: %s is %s", roomlog.ErrNameTaken, e.Name, e.Boot)
		}
	}
	entries := l.entries()
	own.Beat++
	own.Wants = slices.Clone(wants)
	l.store.roll[boot] = own
	return entries, nil
}

// Strike removes the entry of boot.
func (l *Log) Strike(ctx context.Context, boot string) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	delete(l.store.roll, boot)
	return nil
}

// Entries reads the whole roll.
func (l *Log) Entries(ctx context.Context) ([]roomlog.Entry, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	return l.entries(), nil
}

// entries is the roll; the caller holds the store's lock.
func (l *Log) entries() (entries []roomlog.Entry) {
	for _, e := range l.store.roll {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b roomlog.Entry) int { return strings.Compare(a.Boot, b.Boot) })
	return entries
}

// Owner reads a partition's owner record.
func (l *Log) Owner(ctx context.Context, partition int) (roomlog.Owner, error) {
	if err := l.enter(ctx); err != nil {
		return roomlog.Owner{}, err
	}
	defer l.store.mu.Unlock()
	if p := l.store.parts[partition]; p != nil {
		return p.owner, nil
	}
	return roomlog.Owner{}, nil
}

// Acquire makes to the holder under the next epoch.
func (l *Log) Acquire(ctx context.Context, partition int, from, to roomlog.Owner) (roomlog.Owner, error) {
	if err := l.enter(ctx); err != nil {
		return roomlog.Owner{}, err
	}
	defer l.store.mu.Unlock()
	p := l.store.parts[partition]
	if p == nil {
		p = &part{rooms: map[string]*room{}}
		l.store.parts[partition] = p
	}
	now := p.owner
	if now.Epoch != from.Epoch || now.Boot != from.Boot || now.Epoch != 0 && now.Released != from.Released {
		return roomlog.Owner{}, fmt.Errorf("%w: epoch %d of %s", roomlog.ErrConflict, now.Epoch, now.Name)
	}
	p.owner = roomlog.Owner{Epoch: now.Epoch + 1, Name: to.Name, Boot: to.Boot, Addr: to.Addr}
	return p.owner, l.answer()
}

// Release gives the partition up.
func (l *Log) Release(ctx context.Context, partition int, epoch uint64, r roomlog.Release) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	p := l.store.parts[partition]
	if p == nil || p.owner.Epoch != epoch || p.owner.Released {
		return roomlog.ErrFenced
	}
	p.owner.Released, p.owner.NextName, p.owner.NextAddr, p.owner.Handover = true, r.NextName, r.NextAddr, slices.Clone(r.Handover)
	return l.answer()
}

// Append stores all records, or none.
func (l *Log) Append(ctx context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	p := l.store.parts[partition]
	if p == nil || p.owner.Epoch != epoch || p.owner.Released {
		return roomlog.ErrFenced
	}
	// Looked at first, changed second: all or none.
	next := map[string]uint64{}
	for _, r := range records {
		known := p.rooms[r.Room]
		if _, made := next[r.Room]; !made && known != nil {
			next[r.Room] = uint64(len(known.records)) + 1
		}
		want, ok := next[r.Room]
		switch {
		case r.Kind == roomlog.KindCreated && ok:
			return fmt.Errorf("%w: %s", roomlog.ErrRoomExists, r.Room)
		case r.Kind == roomlog.KindCreated:
			next[r.Room] = 1
		case !ok:
			return fmt.Errorf("%w: %s", roomlog.ErrNoRoom, r.Room)
		case r.Seq != want:
			return fmt.Errorf("%w: sequence %d of %s, not %d", roomlog.ErrRefused, r.Seq, r.Room, want)
		default:
			next[r.Room]++
		}
	}
	for _, r := range records {
		r.Epoch = epoch
		if r.Kind == roomlog.KindCreated {
			p.rooms[r.Room] = &room{info: roomlog.RoomInfo{Name: r.Room, Description: r.Content}, created: epoch}
			continue
		}
		room := p.rooms[r.Room]
		room.records = append(room.records, r)
		if r.Kind == roomlog.KindTopic {
			room.info.Description = r.Content
		}
	}
	return l.answer()
}

// find returns a room. The store is locked by the caller.
func (l *Log) find(partition int, name string) (*room, error) {
	if p := l.store.parts[partition]; p != nil && p.rooms[name] != nil {
		return p.rooms[name], nil
	}
	return nil, fmt.Errorf("%w: %s", roomlog.ErrNoRoom, name)
}

// Head returns the newest position of a room and its description.
func (l *Log) Head(ctx context.Context, partition int, name string) (roomlog.Position, roomlog.RoomInfo, error) {
	if err := l.enter(ctx); err != nil {
		return roomlog.Position{}, roomlog.RoomInfo{}, err
	}
	defer l.store.mu.Unlock()
	r, err := l.find(partition, name)
	if err != nil {
		return roomlog.Position{}, roomlog.RoomInfo{}, err
	}
	at := roomlog.Position{Epoch: r.created}
	if n := len(r.records); n > 0 {
		at = roomlog.Position{Seq: uint64(n), Epoch: r.records[n-1].Epoch}
	}
	return at, r.info, nil
}

// Read returns records from from on, ascending.
func (l *Log) Read(ctx context.Context, partition int, name string, from uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	r, err := l.find(partition, name)
	if err != nil {
		return nil, err
	}
	var records []roomlog.Record
	for i := max(from, 1); i <= uint64(len(r.records)) && len(records) < limit && maxBytes > 0; i++ {
		records = append(records, r.records[i-1])
		maxBytes -= len(r.records[i-1].Content)
	}
	return records, nil
}

// ReadBack returns the newest records below before, ascending.
func (l *Log) ReadBack(ctx context.Context, partition int, name string, before uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	r, err := l.find(partition, name)
	if err != nil {
		return nil, err
	}
	var records []roomlog.Record
	for i := min(before, uint64(len(r.records))+1); i > 1 && len(records) < limit && maxBytes > 0; i-- {
		records = append(records, r.records[i-2])
		maxBytes -= len(r.records[i-2].Content)
	}
	slices.Reverse(records)
	return records, nil
}

// Rooms lists rooms by name.
func (l *Log) Rooms(ctx context.Context, partition int, after string, limit int) ([]roomlog.RoomInfo, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	var rooms []roomlog.RoomInfo
	if p := l.store.parts[partition]; p != nil {
		for name, r := range p.rooms {
			if name > after {
				rooms = append(rooms, r.info)
			}
		}
	}
	slices.SortFunc(rooms, func(a, b roomlog.RoomInfo) int { return strings.Compare(a.Name, b.Name) })
	return rooms[:min(limit, len(rooms))], nil
}

// CloseIdle has nothing to let go of.
func (l *Log) CloseIdle(int) {}

// Close has nothing to let go of.
func (l *Log) Close() error { return nil }
