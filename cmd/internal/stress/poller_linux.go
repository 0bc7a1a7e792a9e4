package stress

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"positivity-exchange/comms/rawconn"
)

const (
	headroom   = 64 << 10  // for unfinished frames, in front of what is read
	readBuffer = 256 << 10 // read at once
	batch      = 256       // connections looked after in one turn
)

// poller reads all plain connections, and says what is due, in one thread,
// without a goroutine to wake for each: at these rates the generator would
// otherwise take the processor that the server is measured on. It waits in the
// runtime's poller and makes no call that the scheduler is told of: either keeps
// the runtime's monitor thread awake, which looks around every 20 us then, beside
// the server.
type poller struct {
	engine *engine
	file   *os.File
	epoll  syscall.RawConn // of file
	wake   int             // an eventfd that ends run
	timer  int             // a timerfd: somebody is to speak
	links  []*link
	buf    []byte
	once   sync.Once
}

func newPoller(e *engine) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(epoll, true) // so that the runtime's poller takes it
	}
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &poller{engine: e, file: os.NewFile(uintptr(epoll), "epoll"), wake: -1, timer: -1, buf: make([]byte, headroom+readBuffer)}
	if p.epoll, err = p.file.SyscallConn(); err != nil {
		p.close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		p.close()
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		p.close()
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	for _, fd := range []int{p.wake, p.timer} {
		if err := p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// control adds a descriptor to those that are looked after, or changes what for.
func (p *poller) control(op, fd int, events uint32) error {
	var ctlErr error
	err := p.epoll.Control(func(epoll uintptr) {
		ctlErr = unix.EpollCtl(int(epoll), op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	})
	if err = cmp.Or(err, ctlErr); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// open takes nc over for l. The caller holds the engine's lock.
func (e *engine) open(l *link, nc net.Conn) error {
	tcp, plain := nc.(*net.TCPConn)
	if !plain {
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
	return e.poller.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN)
}

// run reads, and says what is due, until stop.
func (p *poller) run() {
	if p.engine.profile.paced() {
		p.alarm(0)
	}
	events := make([]unix.EpollEvent, batch)
	if err := p.epoll.Read(func(epoll uintptr) (over bool) { return p.turns(epoll, events) }); err != nil {
		p.engine.mu.Lock()
		p.engine.fail(fmt.Errorf("epoll: %w", err))
		p.engine.mu.Unlock()
	}
}

// turns looks after all that is ready. over: stop was called, or nothing goes on
// after an error.
func (p *poller) turns(epoll uintptr, events []unix.EpollEvent) (over bool) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == 0 && n == 0:
			return false
		}
		p.engine.mu.Lock()
		if errno != 0 {
			p.engine.fail(fmt.Errorf("epoll: %w", errno))
			over, n = true, 0
		}
		for _, ev := range events[:n] {
			switch fd := int(ev.Fd); fd {
			case p.wake:
				over = true
			case p.timer:
				p.alarm(p.engine.speakDue() - p.engine.now())
			default:
				if l := p.links[fd]; l != nil {
					p.serve(l, ev)
				}
			}
		}
		p.engine.mu.Unlock()
		if over {
			return true
		}
	}
}

// alarm has the timer go off after d, or at once. Go's own are up to a
// millisecond late in an idle process, which would count as the server's latency.
func (p *poller) alarm(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(d)))}
	// It forgets that it went off before, so it need not be read.
	if _, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(p.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0); errno != 0 {
		panic("timerfd: " + errno.Error()) // a descriptor of ours, a time above 0
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
	n, err := rawconn.Read(uintptr(ev.Fd), p.buf[headroom:])
	switch {
	case err == rawconn.ErrWouldBlock:
		return
	case err == io.EOF:
		l.end(io.EOF)
		return
	case err != nil:
		l.end(fmt.Errorf("read from %s: %w", l.addr, err))
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
	if err := p.control(unix.EPOLL_CTL_MOD, fd, events); err != nil {
		p.engine.fail(err)
	}
}

// stop ends run.
func (p *poller) stop() {
	unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) //nolint:errcheck // the counter cannot be full
}

// close lets go of the descriptors, after run has ended.
func (p *poller) close() {
	p.once.Do(func() {
		p.file.Close() //nolint:errcheck // nothing was written
		for _, fd := range []int{p.wake, p.timer} {
			if fd >= 0 {
				unix.Close(fd) //nolint:errcheck // likewise
			}
		}
	})
}

// delayAcks has the connections that are open delay their acknowledgements, as
// Linux does once a connection has answered something amid other traffic. NATS
// pings its clients a second after they came, px after half a minute of silence:
// in a run of seconds NATS's readers would acknowledge every second message, ours
// each. The caller holds the engine's lock.
func (p *poller) delayAcks() error {
	for fd, l := range p.links {
		if l == nil {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0); err != nil {
			return fmt.Errorf("delay the acknowledgements of %s: %w", l.owner.user, err)
		}
	}
	return nil
}

// received counts the segments with data that arrived at the connections that
// are open: one for each write of the server's below 64 KiB, whichever system
// call that was. The caller holds the engine's lock.
func (p *poller) received() (n int64) {
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
	n, err := rawconn.Write(uintptr(d.fd), b)
	if err == rawconn.ErrWouldBlock {
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
