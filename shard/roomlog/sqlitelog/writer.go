package sqlitelog

import (
	"errors"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/sqlitelog/direct"
)

// writer is a partition's one connection for appends, with all that an append
// runs prepared.
type writer struct {
	conn *direct.Conn
	all  []*direct.Stmt

	beginning, commit, rollback, epoch, insert *direct.Stmt
	findRoom, makeRoom, describe               *direct.Stmt
}

// openWriter opens the file, which must have its schema.
func openWriter(path, sync string) (*writer, error) {
	conn, err := direct.Open(path, pragmas(sync)...)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn}
	for _, s := range []struct {
		into  **direct.Stmt
		query string
	}{
		{&w.beginning, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.epoch, "SELECT epoch, released FROM owner WHERE id = 1"},
		{&w.insert, "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"},
		{&w.findRoom, "SELECT id FROM rooms WHERE name = ?"},
		{&w.makeRoom, "INSERT INTO rooms (name, description) VALUES (?, ?)"},
		{&w.describe, "UPDATE rooms SET description = ? WHERE id = ?"},
	} {
		if *s.into, err = conn.Prepare(s.query); err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.all = append(w.all, *s.into)
	}
	return w, nil
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.all {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) setSync(mode string) error { return w.conn.Exec("PRAGMA synchronous=" + mode) }

func (w *writer) begin() error { return w.beginning.Run() }
func (w *writer) end() error   { return w.commit.Run() }
func (w *writer) undo() bool   { return w.rollback.Run() == nil }

// owner reads the epoch within the transaction, and whether it was released.
func (w *writer) owner() (epoch uint64, released bool, err error) {
	defer w.epoch.Reset()
	row, err := w.epoch.Step()
	if err == nil && !row {
		err = errors.New("the partition has no owner record")
	}
	if err != nil {
		return 0, false, err
	}
	return uint64(w.epoch.Int(0)), w.epoch.Int(1) != 0, nil
}

// add inserts one record of a room.
func (w *writer) add(room int64, epoch uint64, r *roomlog.Record) error {
	err := w.insert.Reserve(len(r.User) + len(r.ID) + len(r.Content))
	return run(w.insert, err,
		w.insert.BindInt(1, room<<roomShift|int64(r.Seq)), w.insert.BindInt(2, int64(epoch)), w.insert.BindInt(3, int64(r.Kind)),
		w.insert.BindText(4, r.User), w.insert.BindText(5, r.ID), w.insert.BindInt(6, r.Time), w.insert.BindText(7, r.Content))
}

// room finds a room's id; 0: there is none.
func (w *writer) room(name string) (id int64, err error) {
	defer w.findRoom.Reset()
	err = w.findRoom.Reserve(len(name))
	if err = errors.Join(err, w.findRoom.BindText(1, name)); err != nil {
		return 0, err
	}
	row, err := w.findRoom.Step()
	if err != nil || !row {
		return 0, err
	}
	return w.findRoom.Int(0), nil
}

// create makes a room that is not there yet.
func (w *writer) create(name, description string) (id int64, err error) {
	err = w.makeRoom.Reserve(len(name) + len(description))
	if err := run(w.makeRoom, err, w.makeRoom.BindText(1, name), w.makeRoom.BindText(2, description)); err != nil {
		return 0, err
	}
	return w.conn.LastInsertID(), nil
}

// setDescription changes a room's description to its new topic.
func (w *writer) setDescription(room int64, topic string) error {
	err := w.describe.Reserve(len(topic))
	return run(w.describe, err, w.describe.BindText(1, topic), w.describe.BindInt(2, room))
}

// run runs s unless something went wrong with what was bound.
func run(s *direct.Stmt, before ...error) error {
	for _, err := range before {
		if err != nil {
			return err
		}
	}
	return s.Run()
}
