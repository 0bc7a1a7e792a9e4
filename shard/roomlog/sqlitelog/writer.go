package sqlitelog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// writer is what every append runs, prepared once on a partition's one writing
// connection and called below database/sql: parsing and that layer's checks
// cost as much as the insert.
type writer struct {
	begin, commit, epoch, insert statement
	args                         [7]driver.NamedValue // of insert
	row                          [2]driver.Value      // of epoch
}

// statement is what the driver's prepared statements implement.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// newWriter prepares the statements on conn, which nothing else may use while
// one of them runs.
func newWriter(ctx context.Context, conn *sql.Conn) (*writer, error) {
	w := &writer{}
	for i := range w.args {
		w.args[i].Ordinal = i + 1
	}
	err := conn.Raw(func(dc any) error {
		preparer, ok := dc.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("the driver prepares no statements")
		}
		for _, s := range []struct {
			into  *statement
			query string
		}{
			{&w.begin, "BEGIN IMMEDIATE"},
			{&w.commit, "COMMIT"},
			{&w.epoch, "SELECT epoch, released FROM owner WHERE id = 1"},
			{&w.insert, "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"},
		} {
			prepared, err := preparer.PrepareContext(ctx, s.query)
			if err != nil {
				return fmt.Errorf("prepare %q: %w", s.query, err)
			}
			if *s.into, ok = prepared.(statement); !ok {
				return errors.Join(errors.New("the driver's statements lack a method"), prepared.Close())
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// close finalizes the statements: one left open would keep the connection alive.
func (w *writer) close() error {
	var errs []error
	for _, s := range []statement{w.begin, w.commit, w.epoch, w.insert} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

func exec(s statement, args []driver.NamedValue) error {
	_, err := s.ExecContext(context.Background(), args)
	return err
}

// owner reads the epoch within the transaction, and whether it was released.
func (w *writer) owner() (epoch uint64, released bool, err error) {
	rows, err := w.epoch.QueryContext(context.Background(), nil)
	if err != nil {
		return 0, false, err
	}
	err = errors.Join(rows.Next(w.row[:]), rows.Close())
	e, ok := w.row[0].(int64)
	r, is := w.row[1].(int64)
	if err == nil && (!ok || !is) {
		err = fmt.Errorf("the owner record holds %T and %T", w.row[0], w.row[1])
	}
	return uint64(e), r != 0, err
}

// add inserts one record.
func (w *writer) add(key int64, epoch uint64, kind int64, user, id string, time int64, content string) error {
	for i, v := range [...]driver.Value{key, int64(epoch), kind, user, id, time, content} {
		w.args[i].Value = v
	}
	return exec(w.insert, w.args[:])
}
