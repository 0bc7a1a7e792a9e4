package sqlitelog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	sqlite3 "modernc.org/sqlite/lib"

	"positivity-exchange/shard/failpoint"
	"positivity-exchange/shard/roomlog"
)

// Append stores all records in one transaction, or none.
func (l *Log) Append(_ context.Context, partition int, epoch uint64, records []roomlog.Record) error {
	p := l.file(partition)
	var created map[string]int64 // ids learnt here, known once the transaction is in
	failpoint.Hit("roomlog.append.beforeBegin")
	if failpoint.Fails("roomlog.append.refuse") {
		return fmt.Errorf("%w: a failpoint", roomlog.ErrRefused)
	}
	// A room that was made must not be gone after a power cut: who was in it could
	// not be told where its history ends.
	creates := slices.ContainsFunc(records, func(r roomlog.Record) bool { return r.Kind == roomlog.KindCreated })
	known, err := p.appending(creates, func(w *writer) error {
		now, released, err := w.owner()
		if err != nil {
			return err
		}
		if now != epoch || released {
			return fmt.Errorf("%w: epoch %d, not %d", roomlog.ErrFenced, now, epoch)
		}
		for i := range records {
			r := &records[i]
			room, ok := p.rooms[r.Room]
			if !ok || r.Kind == roomlog.KindCreated {
				if created == nil {
					created = map[string]int64{}
				}
				if room, err = w.roomOf(created, r); err != nil {
					return err
				}
			}
			if r.Seq > maxInRoom {
				return fmt.Errorf("%w: sequence %d", roomlog.ErrRefused, r.Seq)
			}
			if err := w.add(room, epoch, r); err != nil {
				return err
			}
			if r.Kind == roomlog.KindTopic {
				if err := w.setDescription(room, r.Content); err != nil {
					return err
				}
			}
		}
		failpoint.Hit("roomlog.append.inTx")
		return nil
	})
	if err != nil {
		return l.outcome("append to", partition, known, err)
	}
	failpoint.Hit("roomlog.append.afterCommit")
	if failpoint.Fails("roomlog.append.lose") {
		return fmt.Errorf("%w: a failpoint", roomlog.ErrUnknown)
	}
	if created != nil {
		p.write.Lock()
		maps.Copy(p.rooms, created)
		p.write.Unlock()
	}
	return nil
}

// roomOf returns the id of a record's room, making the room for its creation,
// and notes it in created.
func (w *writer) roomOf(created map[string]int64, r *roomlog.Record) (id int64, err error) {
	if id, ok := created[r.Room]; ok && r.Kind != roomlog.KindCreated {
		return id, nil
	}
	switch id, err = w.room(r.Room); {
	case err != nil:
		return 0, err
	case r.Kind == roomlog.KindCreated && id != 0:
		return 0, fmt.Errorf("%w: %s", roomlog.ErrRoomExists, r.Room)
	case r.Kind == roomlog.KindCreated:
		id, err = w.create(r.Room, r.Content)
	case id == 0:
		return 0, fmt.Errorf("%w: %s", roomlog.ErrNoRoom, r.Room)
	}
	created[r.Room] = id
	return id, err
}

func findRoom(ctx context.Context, q rowQuerier, name string) (id int64, description string, err error) {
	err = q.QueryRowContext(ctx, "SELECT id, description FROM rooms WHERE name = ?", name).Scan(&id, &description)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: %s", roomlog.ErrNoRoom, name)
	}
	return id, description, err
}

// read opens the partition for reading and calls f; a partition never used has no rooms.
func (l *Log) read(partition int, f func(db *sql.DB) error) error {
	p, err := l.part(partition, false)
	if err != nil {
		return damaged(err)
	}
	if p == nil {
		return roomlog.ErrNoRoom
	}
	if err := p.use(func(db *sql.DB) error { return retryBusy(func() error { return f(db) }) }); err != nil {
		return fmt.Errorf("read partition %d: %w", partition, damaged(err))
	}
	return nil
}

// damaged says so of an error that a damaged file makes.
func damaged(err error) error {
	if hasCode(err, sqlite3.SQLITE_CORRUPT) || hasCode(err, sqlite3.SQLITE_NOTADB) {
		return fmt.Errorf("%w: %w", roomlog.ErrDamaged, err)
	}
	return err
}

// Head returns the newest position of a room and its description.
func (l *Log) Head(ctx context.Context, partition int, room string) (at roomlog.Position, info roomlog.RoomInfo, err error) {
	err = l.read(partition, func(db *sql.DB) error {
		id, description, err := findRoom(ctx, db, room)
		if err != nil {
			return err
		}
		info = roomlog.RoomInfo{Name: room, Description: description}
		var key int64
		err = db.QueryRowContext(ctx, "SELECT key, epoch FROM records WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1", id<<roomShift, id<<roomShift|maxInRoom).Scan(&key, &at.Epoch)
		at.Seq = uint64(key & maxInRoom)
		return err
	})
	return at, info, err
}

// Read returns records from from on, ascending.
func (l *Log) Read(ctx context.Context, partition int, room string, from uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	from = max(from, 1) // the creation is no record of the conversation
	return l.page(ctx, partition, room, "SELECT * FROM records WHERE key BETWEEN ? AND ? ORDER BY key ASC LIMIT ?", from, maxInRoom, limit, maxBytes)
}

// ReadBack returns the newest records below before, ascending.
func (l *Log) ReadBack(ctx context.Context, partition int, room string, before uint64, limit, maxBytes int) ([]roomlog.Record, error) {
	if before <= 1 {
		_, _, err := l.Head(ctx, partition, room)
		return nil, err
	}
	records, err := l.page(ctx, partition, room, "SELECT * FROM records WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT ?", 1, min(before-1, maxInRoom), limit, maxBytes)
	slices.Reverse(records)
	return records, err
}

func (l *Log) page(ctx context.Context, partition int, room, query string, from, to uint64, limit, maxBytes int) (records []roomlog.Record, err error) {
	err = l.read(partition, func(db *sql.DB) error {
		records = nil
		id, _, err := findRoom(ctx, db, room)
		if err != nil || from > maxInRoom {
			return err
		}
		rows, err := db.QueryContext(ctx, query, id<<roomShift|int64(from), id<<roomShift|int64(to), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for size := 0; size < maxBytes && rows.Next(); {
			r := roomlog.Record{Room: room}
			var key int64
			if err := rows.Scan(&key, &r.Epoch, &r.Kind, &r.User, &r.ID, &r.Time, &r.Content); err != nil {
				return err
			}
			r.Seq = uint64(key & maxInRoom)
			size += len(r.Content)
			records = append(records, r)
		}
		return rows.Err()
	})
	return records, err
}

// Rooms lists rooms by name. It leaves closed what was closed: who wants the list
// of all asks for each partition, and would have every file open at once. One that
// was not closed in order is left to the checkpointer, since closing checkpoints:
// after a crash the list of all would wait for two fsyncs of each.
func (l *Log) Rooms(ctx context.Context, partition int, after string, limit int) (rooms []roomlog.RoomInfo, err error) {
	if p := l.file(partition); !p.isOpen() && p.isClean() {
		defer func() { l.logClose(p, p.closeUnwritten()) }()
	}
	err = l.read(partition, func(db *sql.DB) error {
		rooms = nil
		rows, err := db.QueryContext(ctx, "SELECT name, description FROM rooms WHERE name > ? ORDER BY name LIMIT ?", after, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r roomlog.RoomInfo
			if err := rows.Scan(&r.Name, &r.Description); err != nil {
				return err
			}
			rooms = append(rooms, r)
		}
		return rows.Err()
	})
	if errors.Is(err, roomlog.ErrNoRoom) {
		return nil, nil
	}
	return rooms, err
}
