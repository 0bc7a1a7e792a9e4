package tlsconn

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = 2 * time.Second

// followed is what was read from files, and is read again once they are others.
type followed[T any] struct {
	what    string // for people
	files   []string
	read    func() (*T, error)
	about   func(*T) []any // more for the log
	logger  *slog.Logger
	every   time.Duration
	current atomic.Pointer[T]

	mu     sync.Mutex
	looked time.Time
	loaded []stamp
	wrong  string // what was said last about files that cannot be used
}

// stamp tells versions of a file apart.
type stamp struct {
	time time.Time
	size int64
}

// load reads the files for the first time.
func (f *followed[T]) load(logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f.logger, f.every, f.looked, f.loaded = logger, lookEvery, time.Now(), f.stamps()
	first, err := f.read()
	f.current.Store(first)
	return err
}

// stamps are of all files; the zero value of one that cannot be seen.
func (f *followed[T]) stamps() []stamp {
	s := make([]stamp, len(f.files))
	for i, name := range f.files {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

// now is what to use. One handshake at a time looks at the files; the others go
// on with what there is.
func (f *followed[T]) now() *T {
	if f.mu.TryLock() {
		if time.Since(f.looked) >= f.every {
			f.looked = time.Now()
			f.look()
		}
		f.mu.Unlock()
	}
	return f.current.Load()
}

// look takes new files over. Those that cannot be used, such as a new
// certificate whose key is not written yet, are tried again at the next look.
func (f *followed[T]) look() {
	now := f.stamps()
	if slices.Equal(now, f.loaded) {
		return
	}
	read, err := f.read()
	if err != nil {
		if f.wrong != err.Error() {
			f.wrong = err.Error()
			f.logger.Warn(f.what+": the new file cannot be used, what was read before stays", "err", err)
		}
		return
	}
	f.current.Store(read)
	f.loaded, f.wrong = now, ""
	f.logger.Info("took over new "+f.what, append([]any{"file", f.files[0]}, f.about(read)...)...)
}
