//go:build linux && (amd64 || arm64)

package sqlitelog

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// recorder notes, in their order, all writes, syncs and deletions that SQLite
// makes below one directory.
type recorder struct {
	mu     sync.Mutex
	dir    string
	events []event
	open   map[uintptr]string // SQLite's files -> names
	kept   []any              // functions that SQLite holds
}

// event is one change of the disk, or (mark) what the test noted between two.
type event struct {
	kind eventKind
	name string
	off  int64
	data []byte // of a write
	size int64  // of a truncation
	mark any
}

type eventKind uint8

const (
	created eventKind = iota
	written
	truncated
	synced
	deleted // and the directory synced
	removed // and the directory not
	marked
)

func (r *recorder) add(e event) { r.events = append(r.events, e) }

// note puts a mark between what was and what will be.
func (r *recorder) note(mark any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(event{kind: marked, mark: mark})
}

// below is the name of a path in the recorded directory; "" for others, and for
// the shared memory, of which nothing is on the disk that counts.
func (r *recorder) below(path string) string {
	if r.dir == "" || filepath.Dir(path) != r.dir || strings.HasSuffix(path, "-shm") {
		return ""
	}
	return filepath.Base(path)
}

// at is the C structure that lies at p.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// function is the Go function that a translated function pointer stands for;
// pointer the way back: r keeps f, which nothing else that Go knows of holds.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

func pointer[F any](r *recorder, f F) uintptr {
	r.kept = append(r.kept, f)
	return *(*uintptr)(unsafe.Pointer(&f))
}

// newRecorder makes SQLite's default file system tell the recorder of what it
// does. It is done once in a process: connections keep the file system.
var newRecorder = sync.OnceValue(func() *recorder {
	r := &recorder{open: map[uintptr]string{}}
	tls := libc.NewTLS()
	unix := sqlite3.Xsqlite3_vfs_find(tls, 0)
	vfs := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	*at[sqlite3.Tsqlite3_vfs](vfs) = *at[sqlite3.Tsqlite3_vfs](unix)
	name, err := libc.CString("recorded")
	if err != nil {
		panic(err)
	}
	to := at[sqlite3.Tsqlite3_vfs](vfs)
	to.FzName = name
	methods := map[uintptr]uintptr{}
	openFile := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](to.FxOpen)
	to.FxOpen = pointer(r, func(tls *libc.TLS, vfs, path, file uintptr, flags int32, out uintptr) int32 {
		r.mu.Lock()
		defer r.mu.Unlock()
		name := ""
		if path != 0 {
			name = r.below(libc.GoString(path))
		}
		_, err := os.Stat(filepath.Join(r.dir, name))
		code := openFile(tls, vfs, path, file, flags, out)
		f := at[sqlite3.Tsqlite3_file](file)
		if code != sqlite3.SQLITE_OK || name == "" || f.FpMethods == 0 {
			return code
		}
		if err != nil {
			r.add(event{kind: created, name: name})
		}
		r.open[file] = name
		if methods[f.FpMethods] == 0 {
			methods[f.FpMethods] = r.watched(tls, f.FpMethods)
		}
		f.FpMethods = methods[f.FpMethods]
		return code
	})
	remove := function[func(*libc.TLS, uintptr, uintptr, int32) int32](to.FxDelete)
	to.FxDelete = pointer(r, func(tls *libc.TLS, vfs, path uintptr, syncDir int32) int32 {
		r.mu.Lock()
		defer r.mu.Unlock()
		code := remove(tls, vfs, path, syncDir)
		if name := r.below(libc.GoString(path)); name != "" && code == sqlite3.SQLITE_OK {
			kind := removed
			if syncDir != 0 {
				kind = deleted
			}
			r.add(event{kind: kind, name: name})
		}
		return code
	})
	if code := sqlite3.Xsqlite3_vfs_register(tls, vfs, 1); code != sqlite3.SQLITE_OK {
		panic(code)
	}
	return r
})

// watched copies a table of a file's methods, of which those that change it
// tell the recorder.
func (r *recorder) watched(tls *libc.TLS, table uintptr) uintptr {
	copied := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	to := at[sqlite3.Tsqlite3_io_methods](copied)
	*to = *at[sqlite3.Tsqlite3_io_methods](table)
	closeFile := function[func(*libc.TLS, uintptr) int32](to.FxClose)
	to.FxClose = pointer(r, func(tls *libc.TLS, file uintptr) int32 {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, file)
		return closeFile(tls, file)
	})
	write := function[func(*libc.TLS, uintptr, uintptr, int32, sqlite3.Tsqlite3_int64) int32](to.FxWrite)
	to.FxWrite = pointer(r, func(tls *libc.TLS, file, buf uintptr, n int32, off sqlite3.Tsqlite3_int64) int32 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.add(event{kind: written, name: r.open[file], off: off, data: slices.Clone(libc.GoBytes(buf, int(n)))})
		return write(tls, file, buf, n, off)
	})
	truncate := function[func(*libc.TLS, uintptr, sqlite3.Tsqlite3_int64) int32](to.FxTruncate)
	to.FxTruncate = pointer(r, func(tls *libc.TLS, file uintptr, size sqlite3.Tsqlite3_int64) int32 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.add(event{kind: truncated, name: r.open[file], size: size})
		return truncate(tls, file, size)
	})
	sync := function[func(*libc.TLS, uintptr, int32) int32](to.FxSync)
	to.FxSync = pointer(r, func(tls *libc.TLS, file uintptr, flags int32) int32 {
		r.mu.Lock()
		defer r.mu.Unlock()
		code := sync(tls, file, flags)
		if code == sqlite3.SQLITE_OK {
			r.add(event{kind: synced, name: r.open[file]})
		}
		return code
	})
	return copied
}

// record has all that is done below dir recorded until the test ends.
func record(t *testing.T, dir string) *recorder {
	t.Helper()
	r := newRecorder()
	r.mu.Lock()
	r.dir, r.events = dir, nil
	r.mu.Unlock()
	t.Cleanup(func() { r.stop() })
	return r
}

// stop ends the recording and returns what was recorded.
func (r *recorder) stop() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.dir, r.events = "", nil
	return events
}

// inode is a file's content on the disk and what is not there yet.
type inode struct {
	content []byte
	pending []event
}

// disk is what the recorded events make of an empty one.
type disk struct {
	names   map[string]*inode // as programs see it
	durable map[string]*inode // as the disk has it
	changed []event           // of names, in their order, since the directory was synced
	inodes  []*inode          // of changed: what the name stands for after it, nil for nothing
}

func newDisk() *disk { return &disk{names: map[string]*inode{}, durable: map[string]*inode{}} }

func (d *disk) apply(e event) {
	f := d.names[e.name]
	switch e.kind {
	case created:
		d.names[e.name] = &inode{}
		d.changed, d.inodes = append(d.changed, e), append(d.inodes, d.names[e.name])
	case written, truncated:
		f.pending = append(f.pending, e)
	case synced:
		for _, p := range f.pending {
			f.settle(p)
		}
		f.pending = nil
		if strings.Contains(e.name, "-") { // SQLite syncs the directory with a log or journal
			d.syncNames()
		}
	case removed, deleted:
		delete(d.names, e.name)
		d.changed, d.inodes = append(d.changed, e), append(d.inodes, nil)
		if e.kind == deleted {
			d.syncNames()
		}
	}
}

func (d *disk) syncNames() {
	d.durable = maps.Clone(d.names)
	d.changed, d.inodes = nil, nil
}

// settle makes one change of a file.
func (f *inode) settle(e event) {
	if e.kind == truncated {
		f.grow(e.size)
		f.content = f.content[:e.size]
		return
	}
	f.grow(e.off + int64(len(e.data)))
	copy(f.content[e.off:], e.data)
}

func (f *inode) grow(size int64) {
	if more := size - int64(len(f.content)); more > 0 {
		f.content = append(f.content, make([]byte, more)...)
	}
}

// left writes to dir what a power cut leaves: of what was not synced each
// sector, truncation and change of a name with the probability kept, names in
// their order.
func (d *disk) left(t *testing.T, dir string, kept float64, random *rand.Rand) {
	t.Helper()
	lucky := func() bool { return kept > 0 && random.Float64() < kept }
	names := maps.Clone(d.durable)
	for i, e := range d.changed {
		if !lucky() {
			break
		}
		if delete(names, e.name); d.inodes[i] != nil {
			names[e.name] = d.inodes[i]
		}
	}
	for name, f := range names {
		f := &inode{content: slices.Clone(f.content), pending: f.pending}
		for _, e := range f.pending {
			if e.kind == truncated {
				if lucky() {
					f.settle(e)
				}
				continue
			}
			for from := e.off; from < e.off+int64(len(e.data)); {
				to := min(from/sector*sector+sector, e.off+int64(len(e.data)))
				if lucky() {
					f.settle(event{kind: written, off: from, data: e.data[from-e.off : to-e.off]})
				}
				from = to
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), f.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
