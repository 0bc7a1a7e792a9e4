package checker

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

var kinds = []Kind{Send, Ack, Error, Unknown, Deliver, Joined, Redirect, Disconnect, Cut, End, Final, Read, Fault, Heal}

// maxLine bounds a line of a history.
const maxLine = 64 << 10

// String is the event's line, without its end.
func (e Event) String() string { return string(e.append(nil)) }

func (e Event) append(b []byte) []byte {
	b = strconv.AppendInt(b, e.Time, 10)
	b = append(b, ' ')
	b = append(b, e.Kind...)
	for _, word := range []string{e.Room, e.Who} {
		b = append(b, ' ')
		switch word {
		case "":
			b = append(b, '-')
		case "-":
			b = append(b, "%2D"...)
		default:
			b = appendEscaped(b, word)
		}
	}
	text := func(key, value string) {
		if value != "" {
			b = append(append(append(b, ' '), key...), '=')
			b = appendEscaped(b, value)
		}
	}
	number := func(key string, value uint64, base int) {
		if value != 0 {
			b = append(append(append(b, ' '), key...), '=')
			b = strconv.AppendUint(b, value, base)
		}
	}
	text("id", e.ID)
	number("seq", e.Seq, 10)
	number("epoch", e.Epoch, 10)
	text("author", e.Author)
	number("hash", e.Hash, 16)
	if e.Due != 0 {
		b = strconv.AppendInt(append(b, " due="...), e.Due, 10)
	}
	text("owner", e.Owner)
	text("code", e.Code)
	return b
}

func appendEscaped(b []byte, text string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == '%' || c >= 0x7f {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func unescape(text string) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", fmt.Errorf("%q ends within an escape", text)
		}
		c, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q has a bad escape", text)
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}

// Parse reads one line.
func Parse(line string) (e Event, err error) {
	words := strings.Split(line, " ")
	if len(words) < 4 {
		return e, fmt.Errorf("%q: want TIME KIND ROOM WHO", line)
	}
	if e.Time, err = strconv.ParseInt(words[0], 10, 64); err != nil {
		return e, fmt.Errorf("time %q: %w", words[0], err)
	}
	if e.Kind = Kind(words[1]); !slices.Contains(kinds, e.Kind) {
		return e, fmt.Errorf("%q is no kind of event", words[1])
	}
	for i, to := range []*string{&e.Room, &e.Who} {
		if words[2+i] == "-" {
			continue
		}
		if *to, err = unescape(words[2+i]); err != nil {
			return e, err
		}
		if *to == "" {
			return e, fmt.Errorf("%q: an empty word", line)
		}
	}
	for _, word := range words[4:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return e, fmt.Errorf("%q is no key=value", word)
		}
		switch key {
		case "id":
			e.ID, err = unescape(value)
		case "seq":
			e.Seq, err = strconv.ParseUint(value, 10, 64)
		case "epoch":
			e.Epoch, err = strconv.ParseUint(value, 10, 64)
		case "author":
			e.Author, err = unescape(value)
		case "hash":
			e.Hash, err = strconv.ParseUint(value, 16, 64)
		case "due":
			e.Due, err = strconv.ParseInt(value, 10, 64)
		case "owner":
			e.Owner, err = unescape(value)
		case "code":
			e.Code, err = unescape(value)
		default:
			err = fmt.Errorf("%q is not known", key)
		}
		if err != nil {
			return e, fmt.Errorf("%q: %w", word, err)
		}
	}
	return e, nil
}

// ReadLines gives each event of a history to take, with its line's number from 1.
func ReadLines(r io.Reader, take func(line int, e Event)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		e, err := Parse(lines.Text())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		take(n, e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

// Log writes a history. Safe for concurrent use.
type Log struct {
	clock func() int64

	mu   sync.Mutex
	w    *bufio.Writer
	line []byte
	n    int
	err  error
}

// NewLog makes a Log that writes to w and takes each event's time from clock.
// Call Flush in the end.
func NewLog(w io.Writer, clock func() int64) *Log {
	return &Log{clock: clock, w: bufio.NewWriterSize(w, 1<<16)}
}

// Add writes one event, whose Time it sets, and returns that. The lock is what
// makes the order of lines one in which things happened: a send is written
// before it goes out, an answer after it came.
func (l *Log) Add(e Event) (at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Time = l.clock()
	l.line = append(e.append(l.line[:0]), '\n')
	if _, err := l.w.Write(l.line); err != nil && l.err == nil {
		l.err = err
	}
	l.n++
	return e.Time
}

// Len is how many events were written.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// Flush writes out what is buffered and returns the first error of all.
func (l *Log) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.w.Flush(); err != nil && l.err == nil {
		l.err = err
	}
	return l.err
}
