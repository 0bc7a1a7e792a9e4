package direct

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// open makes a database with a table t and opens it both ways.
func open(t *testing.T) (*Conn, *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) //nolint:errcheck // a test's
	if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path, "busy_timeout=0", "synchronous=normal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, db
}

func prepare(t *testing.T, c *Conn, query string) *Stmt {
	t.Helper()
	s, err := c.Prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func code(err error) int {
	var e *Error
	if !errors.As(err, &e) {
		return -1
	}
	return e.Code() & 0xff
}

func TestTextComesBackAsItWas(t *testing.T) {
	c, db := open(t)
	insert := prepare(t, c, "INSERT INTO t (a, b) VALUES (?, ?)")
	for i, want := range []string{"", "hello", "a\x00b", "grüße 🙂", strings.Repeat("x", 511), strings.Repeat("long ", 10_000), ""} {
		err := errors.Join(insert.Reserve(len(want)+1), insert.BindText(1, want), insert.BindText(2, "|"), insert.Run())
		if err != nil {
			t.Fatal(err)
		}
		if id := c.LastInsertID(); id != int64(i+1) {
			t.Errorf("row %d, want %d", id, i+1)
		}
		var a, b string
		if err := db.QueryRow("SELECT a, b FROM t WHERE id = ?", i+1).Scan(&a, &b); err != nil || a != want || b != "|" {
			t.Errorf("%q and %q came back for %q: %v", a, b, want, err)
		}
	}
	rows := prepare(t, c, "SELECT id FROM t WHERE id > ? ORDER BY id")
	if err := rows.BindInt(1, 4); err != nil {
		t.Fatal(err)
	}
	for want := int64(5); want <= 7; want++ {
		if row, err := rows.Step(); !row || err != nil || rows.Int(0) != want {
			t.Errorf("row %t with %d, want %d: %v", row, rows.Int(0), want, err)
		}
	}
	if row, err := rows.Step(); row || err != nil {
		t.Errorf("one row too many: %v", err)
	}
	rows.Reset()
}

func TestTextBeyondWhatWasReservedIsRefused(t *testing.T) {
	c, _ := open(t)
	insert := prepare(t, c, "INSERT INTO t (a, b) VALUES (?, ?)")
	if err := insert.BindText(1, "x"); err == nil {
		t.Error("bound without a reservation")
	}
	if err := insert.Reserve(600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(insert.BindText(1, strings.Repeat("x", 600))); err != nil {
		t.Fatal(err)
	}
	if err := insert.BindText(2, "y"); err == nil {
		t.Error("bound more than was reserved")
	}
}

func TestErrorsSayWhatSQLiteSaid(t *testing.T) {
	c, db := open(t)
	if _, err := Open(filepath.Join(t.TempDir(), "none.db")); code(err) != sqlite3.SQLITE_CANTOPEN {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := c.Prepare("INSERT INTO nowhere VALUES (1)"); code(err) != sqlite3.SQLITE_ERROR || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a table that is not there: %v", err)
	}
	insert := prepare(t, c, "INSERT INTO t (id, a, b) VALUES (1, 'a', 'b')")
	if err := insert.Run(); err != nil {
		t.Fatal(err)
	}
	if err := insert.Run(); code(err) != sqlite3.SQLITE_CONSTRAINT {
		t.Errorf("the same row twice: %v", err)
	}
	begin, rollback := prepare(t, c, "BEGIN IMMEDIATE"), prepare(t, c, "ROLLBACK")
	other, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // a test's
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := begin.Run(); code(err) != sqlite3.SQLITE_BUSY {
		t.Errorf("while another writes: %v", err)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(begin.Run(), rollback.Run()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := rollback.Run(); code(err) != sqlite3.SQLITE_ERROR {
		t.Errorf("a rollback of nothing: %v", err)
	}
}

func TestARunAllocatesNothing(t *testing.T) {
	c, _ := open(t)
	insert := prepare(t, c, "INSERT INTO t (a, b) VALUES (?, ?)")
	n := testing.AllocsPerRun(100, func() {
		if err := insert.Reserve(10); err != nil {
			t.Fatal(err)
		}
		if insert.BindText(1, "hello") != nil || insert.BindText(2, "world") != nil || insert.Run() != nil {
			t.Fatal("not inserted")
		}
	})
	if n > 0 {
		t.Errorf("%g allocations a run", n)
	}
}
