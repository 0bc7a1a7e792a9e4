// Package direct runs prepared statements on SQLite without database/sql: for
// an append that layer, the driver's own checks, and the copies that both make
// cost as much as what SQLite does, most of all where appends are rare and
// their code is cold.
//
// It knows nothing of rooms. A Conn and its statements are for one goroutine at
// a time; nothing here locks. Text is bound without a terminating zero and
// without a copy of SQLite's.
package direct

import (
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error is what SQLite answered.
type Error struct {
	code int32
	text string
}

func (e *Error) Error() string { return e.text }

// Code is SQLite's extended result code; its low byte is the primary one.
func (e *Error) Code() int { return int(e.code) }

// Conn is one connection to one database file.
type Conn struct {
	tls *libc.TLS
	db  uintptr
}

// Open opens the database at path, which must exist, and runs pragmas on it.
func Open(path string, pragmas ...string) (*Conn, error) {
	c := &Conn{tls: libc.NewTLS()}
	err := c.open(path)
	for _, pragma := range pragmas {
		if err == nil {
			err = c.Exec("PRAGMA " + pragma)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), c.Close())
	}
	return c, nil
}

func (c *Conn) open(path string) error {
	name, err := libc.CString(path)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	out := c.tls.Alloc(int(unsafe.Sizeof(name)))
	defer c.tls.Free(int(unsafe.Sizeof(name)))
	*(*uintptr)(pointer(out)) = 0
	// The caller is the only one here: no lock of SQLite's around each call.
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, out, sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_NOMUTEX, 0)
	c.db = *(*uintptr)(pointer(out))
	if rc != sqlite3.SQLITE_OK {
		return c.failed(rc)
	}
	return c.check(sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1))
}

// Close ends the connection; its statements must be closed.
func (c *Conn) Close() error {
	defer c.tls.Close()
	if c.db == 0 {
		return nil
	}
	return c.check(sqlite3.Xsqlite3_close(c.tls, c.db))
}

// Exec runs a statement without parameters and drops its rows.
func (c *Conn) Exec(query string) error {
	text, err := libc.CString(query)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, text)
	return c.check(sqlite3.Xsqlite3_exec(c.tls, c.db, text, 0, 0, 0))
}

// LastInsertID is the row id that the last INSERT gave.
func (c *Conn) LastInsertID() int64 { return sqlite3.Xsqlite3_last_insert_rowid(c.tls, c.db) }

func (c *Conn) check(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	return c.failed(rc)
}

func (c *Conn) failed(rc int32) error {
	text := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
	if c.db != 0 {
		if more := libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)); more != text {
			text += ": " + more
		}
	}
	return &Error{rc, fmt.Sprintf("%s (%d)", text, rc)}
}

// pointer looks at memory of SQLite's, outside Go's heap, which neither moves
// nor ends while the statement that holds it is open.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
