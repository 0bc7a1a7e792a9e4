package parking

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// armed: one event, and then none until it is armed again. Ends and errors of
// a connection are told in any case.
const events = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

const batch = 128 // of events taken at once

// poller is an epoll descriptor that waits in the runtime's poller.
type poller struct {
	file *os.File
	raw  syscall.RawConn

	// Of the one that waits.
	events [batch]syscall.EpollEvent
	fds    [batch]int32
	n      int
	err    error
	take   func(epoll uintptr) bool // p.takeReady, bound once
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // else os would not give it to the runtime's poller
		syscall.Close(fd) //nolint:errcheck // nothing was done with it
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll")}
	p.take = p.takeReady
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails where it cannot be waited for
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("wait for epoll: %w", err)
	}
	return p, nil
}

// arm asks for one event of fd, which the caller keeps open meanwhile. known
// saves a call where it is right, and does no harm where it is not.
func (p *poller) arm(fd int32, known bool) (err error) {
	event := syscall.EpollEvent{Events: events, Fd: fd}
	closed := p.raw.Control(func(epoll uintptr) {
		if known {
			err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_MOD, int(fd), &event)
		}
		if !known || err == syscall.ENOENT {
			err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_ADD, int(fd), &event)
		}
		if err == syscall.EEXIST {
			err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_MOD, int(fd), &event)
		}
	})
	return errors.Join(closed, os.NewSyscallError("epoll_ctl", err))
}

// wait returns descriptors that have something to read, valid until the next
// call. Errors: os.ErrDeadlineExceeded, os.ErrClosed, or the system's.
func (p *poller) wait() ([]int32, error) {
	p.n, p.err = 0, nil
	if err := p.raw.Read(p.take); err != nil {
		return nil, err
	}
	for i, e := range p.events[:p.n] {
		p.fds[i] = e.Fd
	}
	return p.fds[:p.n], p.err
}

// takeReady takes what there is and never waits: that is the runtime's part.
func (p *poller) takeReady(epoll uintptr) bool {
	for {
		n, err := syscall.EpollWait(int(epoll), p.events[:], 0)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			p.err = os.NewSyscallError("epoll_wait", err)
			return true
		default:
			p.n = n
			return n > 0
		}
	}
}

// setDeadline ends a wait at that time, zero: never.
func (p *poller) setDeadline(at time.Time) {
	p.file.SetReadDeadline(at) //nolint:errcheck // fails on what was closed, as the wait says
}

// close ends a wait. It may be called more than once.
func (p *poller) close() {
	p.file.Close() //nolint:errcheck // likewise
}
