package comms

import (
	"net"
	"sync"
	"time"
)

// Conn is one connection for either end: a client reads events and writes
// commands, a server the other way round. One goroutine reads; writes may come
// from several.
type Conn struct {
	nc     net.Conn
	reader *Reader

	mu  sync.Mutex // one write at a time
	buf []byte

	once sync.Once
	err  error
}

// NewClientConn is the client's end of nc. A silent server is waited for
// without bound: the client asks with Ping. So is a line, as long as more of it
// comes within FrameTimeout: a long one takes its time over a slow network.
func NewClientConn(nc net.Conn) *Conn {
	c := newConn(nc, MaxEventFrame, 0)
	c.reader.patient = true
	return c
}

// NewServerConn is the server's end of nc; idle bounds the silence between commands.
func NewServerConn(nc net.Conn, idle time.Duration) *Conn {
	return newConn(nc, MaxCommandFrame, idle)
}

func newConn(nc net.Conn, max int, idle time.Duration) *Conn {
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetNoDelay(true) //nolint:errcheck // a hint; the write below reports a dead connection
	}
	return &Conn{nc: nc, reader: NewReader(nc, max, idle)}
}

// ReadEvent returns the next event of a known type; others are skipped.
func (c *Conn) ReadEvent() (Event, error) {
	for {
		line, err := c.reader.Next()
		if err != nil {
			return nil, err
		}
		if e, err := DecodeEvent(line); e != nil || err != nil {
			return e, err
		}
	}
}

// ReadCommand returns the next command. After an error of DecodeCommand (a
// *Error other than of the frame codes) reading may go on.
func (c *Conn) ReadCommand() (Command, error) {
	line, err := c.reader.Next()
	if err != nil {
		return nil, err
	}
	return DecodeCommand(line)
}

// SetIdle changes how long a silence between frames is waited for.
func (c *Conn) SetIdle(d time.Duration) { c.reader.SetIdle(d) }

// Reads counts what came from the other end, in pieces of any size: who waits for
// a long line sees from it that the line is on its way. Any goroutine may ask.
func (c *Conn) Reads() uint64 { return c.reader.reads.Load() }

// WriteCommand writes commands in one piece, within WriteTimeout.
func (c *Conn) WriteCommand(commands ...Command) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = c.buf[:0]
	for _, command := range commands {
		c.buf = AppendCommand(c.buf, command)
	}
	return c.write(c.buf)
}

// WriteEvent writes events in one piece, within WriteTimeout.
func (c *Conn) WriteEvent(events ...Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = c.buf[:0]
	for _, event := range events {
		c.buf = AppendEvent(c.buf, event)
	}
	return c.write(c.buf)
}

// WriteLines writes what AppendEvent or AppendCommand encoded in one piece,
// within WriteTimeout.
func (c *Conn) WriteLines(lines []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(lines)
}

func (c *Conn) write(lines []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(lines)
	return err
}

// RemoteAddr is the other end's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Close closes the connection once; later calls return the same.
func (c *Conn) Close() error {
	c.once.Do(func() { c.err = c.nc.Close() })
	return c.err
}
