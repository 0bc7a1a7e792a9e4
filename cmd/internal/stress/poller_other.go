//go:build !linux

package stress

import (
	"context"
	"net"
)

// poller says what is due. Here it reads nothing: every connection has a goroutine.
type poller struct {
	engine *engine
	ctx    context.Context // of run
	stop   func()          // ends run
}

func newPoller(e *engine) (*poller, error) {
	ctx, stop := context.WithCancel(e.ctx)
	return &poller{e, ctx, stop}, nil
}

func (p *poller) run() {
	for p.engine.profile.paced() {
		p.engine.mu.Lock()
		wait := p.engine.speakDue() - p.engine.now()
		p.engine.mu.Unlock()
		if pause(p.ctx, wait) != nil {
			return
		}
	}
}

func (p *poller) close() {}

func (p *poller) delayAcks() error { return nil }

func (p *poller) received() int64 { return 0 }

func (e *engine) open(l *link, nc net.Conn) error { return e.openReader(l, nc) }
