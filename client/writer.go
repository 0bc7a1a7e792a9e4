package client

import (
	"sync"

	"positivity-exchange/comms"
)

const (
	writeAhead   = 256 << 10 // unwritten bytes of a connection from which on rooms send no more messages over it
	maxUnwritten = 1 << 20   // and from which on it is given up
	writeBytes   = 64 << 10  // written in one piece, for which comms.WriteTimeout is: a slow network may need it
)

// writer writes what the loop queues for one connection: the loop waits for no
// network, or one shard that reads nothing would hold up the rooms of all.
type writer struct {
	conn  *comms.Conn
	wrote chan<- struct{} // gets one when the loop may queue more messages, if it was told not to
	ended chan struct{}   // closed when all is written that will be

	mu        sync.Mutex
	more      sync.Cond // of mu
	queue     []byte    // encoded commands
	unwritten int       // their bytes, and those that are being written
	waited    bool      // the loop was told to queue no more messages
	finished  bool      // nothing is queued any more
}

func newWriter(conn *comms.Conn, wrote chan<- struct{}) *writer {
	w := &writer{conn: conn, wrote: wrote, ended: make(chan struct{})}
	w.more.L = &w.mu
	return w
}

// send queues commands. Whoever takes none for too long loses the connection.
func (w *writer) send(commands ...comms.Command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return
	}
	before := len(w.queue)
	for _, c := range commands {
		w.queue = comms.AppendCommand(w.queue, c)
	}
	w.unwritten += len(w.queue) - before
	if w.unwritten > maxUnwritten {
		w.giveUp()
		return
	}
	w.more.Signal()
}

// full tells that more messages had better wait; the loop is told when not.
func (w *writer) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waited = w.unwritten > writeAhead
	return w.waited
}

// finish lets run end once the queue is written.
func (w *writer) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	w.more.Signal()
}

// giveUp ends the connection; its reader reports it. The caller holds mu.
func (w *writer) giveUp() {
	w.queue, w.finished = nil, true
	w.conn.Close() //nolint:errcheck // it is over either way
	w.more.Signal()
}

// run writes until finish, or until the connection breaks.
func (w *writer) run() {
	defer close(w.ended)
	w.mu.Lock()
	defer w.mu.Unlock()
	var spare []byte
	for {
		for len(w.queue) == 0 && !w.finished {
			w.more.Wait()
		}
		if len(w.queue) == 0 {
			return
		}
		lines := w.queue
		w.queue = spare[:0]
		for rest := lines; len(rest) > 0; {
			piece := rest[:min(len(rest), writeBytes)]
			rest = rest[len(piece):]
			w.mu.Unlock()
			err := w.conn.WriteLines(piece)
			w.mu.Lock()
			if err != nil {
				w.giveUp()
				return
			}
			w.written(len(piece))
		}
		if spare = lines; cap(spare) > writeBytes {
			spare = nil // what a burst took is not kept for ever
		}
	}
}

// written tells the loop once it may queue more. The caller holds mu.
func (w *writer) written(n int) {
	w.unwritten -= n
	if w.waited && w.unwritten <= writeAhead {
		w.waited = false
		select {
		case w.wrote <- struct{}{}:
		default: // it has not looked since the last one
		}
	}
}
