package stress

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	headroom   = 64 << 10  // for unfinished frames, in front of what is read
	readBuffer = 256 << 10 // read at once
	batch      = 256       // connections looked after in one turn
)

// poller reads all plain connections in one thread, without a goroutine to
// wake for each: at these rates the generator would otherwise take the
// processor that the server is measured on.
type poller struct {
	engine *engine
	epoll  int
	wake   int // an eventfd that ends run
	links  []*link
	buf    []byte
	once   sync.Once
}

func newPoller(e *engine) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)})
	}
	if err != nil {
		unix.Close(epoll) //nolint:errcheck // nothing was written
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &poller{engine: e, epoll: epoll, wake: wake, buf: make([]byte, headroom+readBuffer)}, nil
}

// open takes nc over for l. The caller holds the engine's lock.
func (e *engine) open(l *link, nc net.Conn) error {
	tcp, plain := nc.(*net.TCPConn)
	if _, isTLS := nc.(*tls.Conn); isTLS || !plain || e.poller == nil {
		return e.openReader(l, nc)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	fd := -1
	var dupErr error
	// A descriptor of our own, so that Go's poller is not woken for it too.
	err = raw.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	nc.Close() //nolint:errcheck // the connection lives on in fd
	if err != nil || dupErr != nil {
		return fmt.Errorf("take over a connection: %w", cmp.Or(err, dupErr))
	}
	for len(e.poller.links) <= fd {
		e.poller.links = append(e.poller.links, nil)
	}
	e.poller.links[fd] = l
	l.pipe = &descriptor{e.poller, fd}
	return unix.EpollCtl(e.poller.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// run reads until close.
func (p *poller) run() {
	events := make([]unix.EpollEvent, batch)
	for {
		n, err := unix.EpollWait(p.epoll, events, -1)
		if err == unix.EINTR {
			continue
		}
		p.engine.mu.Lock()
		if err != nil {
			p.engine.fail(fmt.Errorf("epoll: %w", err))
			p.engine.mu.Unlock()
			return
		}
		for _, ev := range events[:n] {
			if int(ev.Fd) == p.wake {
				p.engine.mu.Unlock()
				return
			}
			if l := p.links[ev.Fd]; l != nil {
				p.serve(l, ev)
			}
		}
		p.engine.mu.Unlock()
	}
}

func (p *poller) serve(l *link, ev unix.EpollEvent) {
	if ev.Events&unix.EPOLLOUT != 0 && l.stuck {
		l.stuck = false
		p.watch(int(ev.Fd), unix.EPOLLIN)
		l.flush()
	}
	if ev.Events&^unix.EPOLLOUT == 0 || l.closed {
		return
	}
	n, err := unix.Read(int(ev.Fd), p.buf[headroom:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		l.end(fmt.Errorf("read from %s: %w", l.addr, err))
		return
	case n == 0:
		l.end(io.EOF)
		return
	}
	now := p.engine.now()
	if len(l.rest) > headroom {
		l.feed(append(l.rest, p.buf[headroom:headroom+n]...), now)
		return
	}
	from := headroom - len(l.rest)
	copy(p.buf[from:], l.rest)
	l.feed(p.buf[from:headroom+n], now)
}

func (p *poller) watch(fd int, events uint32) {
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		p.engine.fail(fmt.Errorf("epoll: %w", err))
	}
}

// stop ends run.
func (p *poller) stop() {
	unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) //nolint:errcheck // the counter cannot be full
}

// close lets go of the descriptors, after run has ended.
func (p *poller) close() {
	p.once.Do(func() {
		unix.Close(p.epoll) //nolint:errcheck // nothing was written
		unix.Close(p.wake)  //nolint:errcheck // likewise
	})
}

// received counts the segments with data that arrived at the connections that
// are open: one for each write of the server's below 64 KiB, whichever system
// call that was. The caller holds the engine's lock.
func (p *poller) received() (n int64) {
	if p == nil {
		return 0
	}
	for fd, l := range p.links {
		if l == nil {
			continue
		}
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n += int64(info.Data_segs_in)
		}
	}
	return n
}

// descriptor is a connection that the poller reads.
type descriptor struct {
	poller *poller
	fd     int
}

// Write writes what fits; the poller tells the link when there is room again.
func (d *descriptor) Write(b []byte) (int, error) {
	n, err := unix.Write(d.fd, b)
	if err == unix.EAGAIN || err == unix.EINTR {
		n, err = 0, nil
	}
	if err == nil && n < len(b) {
		d.poller.watch(d.fd, unix.EPOLLIN|unix.EPOLLOUT)
	}
	return max(n, 0), err
}

func (d *descriptor) Close() error {
	d.poller.links[d.fd] = nil
	return unix.Close(d.fd)
}
