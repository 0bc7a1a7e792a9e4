package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"positivity-exchange/shard/roomlog"
)

// Options configures an export or an import. Partitions is needed.
type Options struct {
	Partitions int                              // the cluster's constant
	Progress   func(records, of uint64)         // called often, from one goroutine
	Note       func(format string, args ...any) // what a person should know
}

func (o *Options) defaults() {
	if o.Progress == nil {
		o.Progress = func(uint64, uint64) {}
	}
	if o.Note == nil {
		o.Note = func(string, ...any) {}
	}
}

// exporter writes lines.
type exporter struct {
	log   roomlog.Log
	opts  Options
	w     *bufio.Writer
	json  *json.Encoder
	total *total
	done  uint64 // records written or found written
	of    uint64
}

func newExporter(log roomlog.Log, w io.Writer, opts Options) *exporter {
	e := &exporter{log: log, opts: opts, w: bufio.NewWriterSize(w, 1<<16), total: newTotal()}
	e.json = json.NewEncoder(e.w)
	e.json.SetEscapeHTML(false)
	return e
}

// Export writes all rooms of log to w.
func Export(ctx context.Context, log roomlog.Log, w io.Writer, opts Options) (Summary, error) {
	opts.defaults()
	e := newExporter(log, w, opts)
	if err := e.header(ctx); err != nil {
		return Summary{}, err
	}
	return e.partitions(ctx, 0)
}

// ExportFile writes all rooms of log to path. An export to the same path that
// was interrupted is gone on with.
func ExportFile(ctx context.Context, log roomlog.Log, path string, opts Options) (s Summary, err error) {
	opts.defaults()
	if _, err := os.Stat(path); err == nil {
		return s, fmt.Errorf("%s is there already: move it away, or name another file", path)
	}
	f, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return s, err
	}
	defer f.Close() //nolint:errcheck // closed below where it matters
	e := newExporter(log, f, opts)
	from, err := e.resume(f)
	if err != nil {
		return s, fmt.Errorf("%s.part: %w (remove it to begin anew)", path, err)
	}
	if from < 0 {
		from = 0
		if err := e.header(ctx); err != nil {
			return s, err
		}
	} else {
		opts.Note("going on with partition %d: %d records are in %s.part", from, e.done, path)
	}
	if s, err = e.partitions(ctx, from); err != nil {
		return s, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return s, err
	}
	if err := os.Rename(path+".part", path); err != nil {
		return s, err
	}
	return s, roomlog.SyncDir(filepath.Dir(path)) // who was told that all is exported may remove what it came from
}

// resume keeps the whole partitions of a file and returns the one to go on
// with; below 0 if there is nothing.
func (e *exporter) resume(f *os.File) (from int, err error) {
	in := newLines(f)
	h, err := in.first(e.opts.Partitions)
	if errors.Is(err, errShort) {
		return -1, e.cut(f, 0)
	}
	if err != nil {
		return 0, err
	}
	if h.Log != e.log.Identity() {
		return 0, fmt.Errorf("it is of the log %s, not %s", h.Log, e.log.Identity())
	}
	e.of = h.Records
	keep := in.at
	s := newSums()
	for {
		line, err := in.next()
		if errors.Is(err, errShort) {
			return from, e.cut(f, keep)
		}
		if err != nil {
			return 0, err
		}
		switch line := line.(type) {
		case *roomLine:
			s.room(line.Room, line.Description)
		case *recordLine:
			if s.rooms[line.In] == nil {
				return 0, fmt.Errorf("line %d: a record of no room", in.n)
			}
			s.record(line.record())
		case *endLine:
			if got := s.end(line.End); got != *line {
				return 0, fmt.Errorf("partition %d is damaged", line.End)
			}
			e.total.add(*line)
			e.done += line.Records
			from, keep, s = line.End+1, in.at, newSums()
		case *totalLine: // all is there but the rename
			return e.opts.Partitions, e.cut(f, keep)
		}
	}
}

func (e *exporter) cut(f *os.File, at int64) error {
	_, err := f.Seek(at, io.SeekStart)
	if err := errors.Join(err, f.Truncate(at)); err != nil && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// header counts what there is and writes the first line.
func (e *exporter) header(ctx context.Context) error {
	h := header{Version: version, Log: e.log.Identity(), Partitions: e.opts.Partitions}
	for p := range e.opts.Partitions {
		all, err := cursors(ctx, e.log, p)
		if err != nil {
			return err
		}
		h.Rooms += uint64(len(all))
		for _, c := range all {
			h.Records += c.head.Seq
		}
	}
	e.of = h.Records
	return e.json.Encode(h)
}

// partitions writes those from `from` on, and the end.
func (e *exporter) partitions(ctx context.Context, from int) (Summary, error) {
	for p := from; p < e.opts.Partitions; p++ {
		if err := e.partition(ctx, p); err != nil {
			return Summary{}, errors.Join(err, e.w.Flush())
		}
	}
	line := e.total.line()
	return e.total.Summary, errors.Join(e.json.Encode(line), e.w.Flush())
}

func (e *exporter) partition(ctx context.Context, p int) error {
	all, err := pinned(ctx, e.log, p)
	if err != nil || len(all) == 0 {
		return err
	}
	s := newSums()
	err = walk(ctx, e.log, p, all, func(r roomLine) error {
		s.room(r.Room, r.Description)
		return e.json.Encode(r)
	}, func(r *roomlog.Record) error {
		s.record(r)
		e.done++
		e.opts.Progress(e.done, max(e.of, e.done))
		if err := ctx.Err(); err != nil {
			return err
		}
		return e.json.Encode(recordLine{r.Seq, r.Room, r.Epoch, r.Kind, r.User, r.ID, r.Time, r.Content})
	})
	if err != nil {
		return err
	}
	end := s.end(p)
	e.total.add(end)
	if err := e.json.Encode(end); err != nil {
		return err
	}
	return e.w.Flush()
}

func (l *recordLine) record() *roomlog.Record {
	return &roomlog.Record{Room: l.In, Seq: l.Seq, Epoch: l.Epoch, Kind: l.Kind, User: l.User, ID: l.ID, Time: l.Time, Content: l.Content}
}
