package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"positivity-exchange/shard/roomlog"
)

const version = 1

// maxLine bounds a line: content is at most 16 KiB, escaped at most six times that.
const maxLine = 1 << 20

// header is the first line.
type header struct {
	Version    int    `json:"px_export"`
	Log        string `json:"log"`
	Partitions int    `json:"partitions"`
	Rooms      uint64 `json:"rooms"`
	Records    uint64 `json:"records"`
}

// roomLine introduces a room.
type roomLine struct {
	Room        string `json:"room"`
	Partition   int    `json:"partition"`
	Epoch       uint64 `json:"epoch"`
	Description string `json:"description"`
}

// recordLine is one record of a room introduced before.
type recordLine struct {
	Seq     uint64       `json:"seq"`
	In      string       `json:"in"`
	Epoch   uint64       `json:"epoch"`
	Kind    roomlog.Kind `json:"kind"`
	User    string       `json:"user"`
	ID      string       `json:"id"`
	Time    int64        `json:"time"`
	Content string       `json:"content"`
}

// endLine closes a partition.
type endLine struct {
	End     int    `json:"end"`
	Rooms   uint64 `json:"rooms"`
	Records uint64 `json:"records"`
	Hash    string `json:"sha256"`
}

// totalLine is the last.
type totalLine struct {
	Total   bool   `json:"total"`
	Rooms   uint64 `json:"rooms"`
	Records uint64 `json:"records"`
	Hash    string `json:"sha256"`
}

// Summary is what was carried.
type Summary struct {
	Rooms   uint64
	Records uint64
	Hash    string // of all, in hexadecimal
}

func (s Summary) String() string {
	return fmt.Sprintf("%d rooms, %d records, sha256 %s", s.Rooms, s.Records, s.Hash)
}

// errShort: the file ends before its last line.
var errShort = errors.New("the file ends early: its export was interrupted")

// lines reads a file line by line and knows how far it is.
type lines struct {
	r  *bufio.Reader
	n  int   // lines read
	at int64 // bytes read
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, maxLine)} }

// next returns one of the line types; errShort at the end, or for half a line.
func (l *lines) next() (any, error) {
	b, err := l.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return nil, errShort
	}
	l.n++
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", l.n, err)
	}
	var into any
	switch {
	case bytes.HasPrefix(b, []byte(`{"seq":`)):
		into = &recordLine{}
	case bytes.HasPrefix(b, []byte(`{"room":`)):
		into = &roomLine{}
	case bytes.HasPrefix(b, []byte(`{"end":`)):
		into = &endLine{}
	case bytes.HasPrefix(b, []byte(`{"total":`)):
		into = &totalLine{}
	case bytes.HasPrefix(b, []byte(`{"px_export":`)):
		into = &header{}
	default:
		return nil, fmt.Errorf("line %d is none of an export's", l.n)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return nil, fmt.Errorf("line %d: %w", l.n, err)
	}
	l.at += int64(len(b))
	return into, nil
}

// first reads the header.
func (l *lines) first(partitions int) (header, error) {
	line, err := l.next()
	if err != nil {
		return header{}, err
	}
	h, ok := line.(*header)
	switch {
	case !ok:
		return header{}, errors.New("this is no export: its first line is not a header")
	case h.Version != version:
		return header{}, fmt.Errorf("the export has version %d, this program knows %d: run a newer px", h.Version, version)
	case h.Partitions != partitions:
		return header{}, fmt.Errorf("the export is of a cluster with %d partitions, not %d", h.Partitions, partitions)
	case !plain(h.Log):
		return header{}, fmt.Errorf("the export names a log %q, which no log is called", h.Log)
	}
	return *h, nil
}

// plain tells whether an identity is one: it becomes part of a file's name.
func plain(identity string) bool {
	for _, c := range identity {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return identity != "" && len(identity) <= 64
}
