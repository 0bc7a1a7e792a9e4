package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// group owns named tasks: the first that ends with an error is the cause of
// failure, stop ends them all, wait returns after the last.
type group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	errs   chan struct{} // closed at the first failure
	once   sync.Once
}

func newGroup() *group {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &group{ctx: ctx, cancel: cancel, errs: make(chan struct{})}
}

// Go runs task until the group stops. An error other than the stop itself fails the group.
func (g *group) Go(name string, task func(context.Context) error) {
	g.wg.Go(func() {
		if err := task(g.ctx); err != nil && !errors.Is(err, context.Canceled) {
			g.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}

func (g *group) fail(err error) {
	g.once.Do(func() {
		g.cancel(err)
		close(g.errs)
	})
}

// failed is closed when a task failed.
func (g *group) failed() <-chan struct{} { return g.errs }

// cause is the first failure, nil if none.
func (g *group) cause() error {
	select {
	case <-g.errs:
		return context.Cause(g.ctx)
	default:
		return nil
	}
}

// stop ends all tasks and waits for them.
func (g *group) stop() {
	g.cancel(context.Canceled)
	g.wg.Wait()
}
