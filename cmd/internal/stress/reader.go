package stress

import (
	"fmt"
	"net"
	"time"
)

// writeTimeout bounds a write to a server that does not read.
const writeTimeout = 10 * time.Second

// openReader takes nc over for l with a goroutine of its own: TLS, and systems
// without a poller.
func (e *engine) openReader(l *link, nc net.Conn) error {
	l.pipe = blocking{nc}
	e.wg.Go(func() {
		buf := make([]byte, 16<<10)
		for {
			n, err := nc.Read(buf)
			e.mu.Lock()
			if n > 0 && !l.closed {
				data := buf[:n]
				if len(l.rest) > 0 {
					data = append(l.rest, data...)
				}
				l.feed(data, e.now())
			}
			if err != nil {
				l.end(fmt.Errorf("read from %s: %w", l.addr, err))
			}
			closed := l.closed
			e.mu.Unlock()
			if closed {
				return
			}
		}
	})
	return nil
}

// blocking writes all or fails.
type blocking struct{ net.Conn }

func (b blocking) Write(p []byte) (int, error) {
	if err := b.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return b.Conn.Write(p)
}
