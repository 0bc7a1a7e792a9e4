package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	catchUpSize = 64 << 10 // a page read from the log for a session that is behind
	sourceTries = 5
)

// page is what the Source gave for a cursor that is behind.
type page struct {
	c    *cursor // nil: none
	data []byte
	last uint64 // sequence before data[0]'s record
}

// pumpPage writes what the Source gave. A peer that takes no more gets the
// rest of the event that was begun; the others are read again when it does.
func (o *Outlet) pumpPage() error {
	p := &o.page
	if !p.c.attached {
		*p = page{}
		return nil
	}
	b := p.data
	o.mu.Unlock()
	n, err := o.write(b)
	o.mu.Lock()
	p.last += uint64(bytes.Count(b[:n], []byte{'\n'}))
	if n < len(b) && n > 0 && b[n-1] != '\n' {
		o.rest = append([]byte(nil), b[n:lineEnd(b, n)]...)
		p.last++
	}
	p.c.last, p.c.seek, p.c.missed = p.last, true, true
	*p = page{}
	return err
}

// catchUp asks the Source for what a ring dropped. mu is let go of meanwhile.
func (o *Outlet) catchUp() error {
	c, _, isBehind := o.pick()
	if !isBehind {
		return nil // detached meanwhile
	}
	src, last := c.ring.src, c.last
	if _, dropped := c.ring.next(c); !dropped {
		o.mu.Unlock()
		snapshot := src.Snapshot() // takes the caller's locks, which stand above mu
		o.mu.Lock()
		if c.attached {
			c.missed = false
			o.push(snapshot)
		}
		return nil
	}
	o.mu.Unlock()
	events, err := readSource(o.pool.ctx, src, last, c.ring.newest())
	o.mu.Lock()
	if err != nil || !c.attached {
		return err
	}
	o.page = page{c: c, data: events, last: last}
	return nil
}

// readSource reads a page, more than once if need be: the log may be busy.
func readSource(ctx context.Context, src Source, after, upTo uint64) (events []byte, err error) {
	pause := 50 * time.Millisecond
	for range sourceTries {
		var last uint64
		if events, last, err = src.Records(ctx, after, upTo, catchUpSize); err == nil && last > after {
			return events, nil
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err == nil {
		err = errNoRecord
	}
	return nil, fmt.Errorf("%w behind %d: %w", ErrCatchUp, after, err)
}

// ErrCatchUp means that the Source did not give what a ring had dropped.
var ErrCatchUp = errors.New("catch up from the log")

var errNoRecord = errors.New("no record there")
