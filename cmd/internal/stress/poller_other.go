//go:build !linux

package stress

import "net"

// poller does not exist here: every connection has a goroutine.
type poller struct{}

func newPoller(*engine) (*poller, error) { return nil, nil }

func (p *poller) run()   {}
func (p *poller) stop()  {}
func (p *poller) close() {}

func (p *poller) delayAcks() error { return nil }

func (p *poller) received() int64 { return 0 }

func (e *engine) open(l *link, nc net.Conn) error { return e.openReader(l, nc) }
