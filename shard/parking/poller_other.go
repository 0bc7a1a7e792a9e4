//go:build !linux

package parking

import (
	"errors"
	"time"
)

// poller does not exist here: nobody is parked.
type poller struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (*poller) arm(int32, bool) error  { return errors.ErrUnsupported }
func (*poller) wait() ([]int32, error) { return nil, errors.ErrUnsupported }
func (*poller) setDeadline(time.Time)  {}
func (*poller) close()                 {}
