package direct

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Stmt is a prepared statement. One run is: bind every parameter, Step until it
// says false, Reset. What was bound stays bound.
type Stmt struct {
	conn *Conn
	stmt uintptr
	text uintptr // what is bound stands here
	size int     // of text, bytes
	used int
}

// Prepare compiles query, one statement, for many runs.
func (c *Conn) Prepare(query string) (*Stmt, error) {
	text, err := libc.CString(query)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, text)
	out := c.tls.Alloc(int(unsafe.Sizeof(text)))
	defer c.tls.Free(int(unsafe.Sizeof(text)))
	*(*uintptr)(pointer(out)) = 0
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0)
	if rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("prepare %q: %w", query, c.failed(rc))
	}
	return &Stmt{conn: c, stmt: *(*uintptr)(pointer(out))}, nil
}

// Close lets go of the statement; one left open keeps its connection alive.
func (s *Stmt) Close() error {
	rc := sqlite3.Xsqlite3_finalize(s.conn.tls, s.stmt)
	libc.Xfree(s.conn.tls, s.text)
	s.stmt, s.text, s.size = 0, 0, 0
	return s.conn.check(rc)
}

// Reserve forgets the text of the run before and makes room for n bytes of
// text in the next, before any of them is bound.
func (s *Stmt) Reserve(n int) error {
	s.used = 0
	if n <= s.size && s.text != 0 {
		return nil
	}
	size := max(n, 2*s.size, 512)
	text := libc.Xmalloc(s.conn.tls, libc.Tsize_t(size))
	if text == 0 {
		return s.conn.failed(sqlite3.SQLITE_NOMEM)
	}
	libc.Xfree(s.conn.tls, s.text)
	s.text, s.size = text, size
	return nil
}

// BindInt binds parameter i, from 1 on.
func (s *Stmt) BindInt(i int, v int64) error {
	return s.conn.check(sqlite3.Xsqlite3_bind_int64(s.conn.tls, s.stmt, int32(i), v))
}

// BindText binds parameter i, from 1 on; Reserve must have made room for it.
func (s *Stmt) BindText(i int, v string) error {
	if len(v) > s.size-s.used || s.text == 0 {
		return fmt.Errorf("bind %d bytes of text: %d are reserved", len(v), s.size-s.used)
	}
	at := s.text + uintptr(s.used)
	s.used += copy(unsafe.Slice((*byte)(pointer(at)), len(v)), v)
	return s.conn.check(sqlite3.Xsqlite3_bind_text(s.conn.tls, s.stmt, int32(i), at, int32(len(v)), sqlite3.SQLITE_STATIC))
}

// Step goes on to the next row; false: there is none.
func (s *Stmt) Step() (row bool, err error) {
	switch rc := sqlite3.Xsqlite3_step(s.conn.tls, s.stmt); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.conn.failed(rc)
	}
}

// Int is column i of the row, from 0 on.
func (s *Stmt) Int(i int) int64 {
	return sqlite3.Xsqlite3_column_int64(s.conn.tls, s.stmt, int32(i))
}

// Reset ends a run and what it has locked. Its error, if any, Step gave before.
func (s *Stmt) Reset() { sqlite3.Xsqlite3_reset(s.conn.tls, s.stmt) }

// Run is one run of a statement that gives no rows.
func (s *Stmt) Run() error {
	_, err := s.Step()
	s.Reset()
	return err
}
