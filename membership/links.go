package membership

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// ErrOtherBoot is what a Linker reports when another boot answers.
var ErrOtherBoot = errors.New("another boot answers")

// Link is a standing connection to a shard's client port. Done is closed when it broke.
type Link interface {
	Done() <-chan struct{}
	Close() error
}

// Linker dials shards as a member. An error that wraps syscall.ECONNREFUSED
// means nobody listens there; one that wraps ErrOtherBoot that another boot answered.
type Linker interface {
	Link(ctx context.Context, addr, boot string) (Link, error)
}

// linkLoop keeps one connection to every other shard.
func (c *Cluster) linkLoop(ctx context.Context) {
	if c.opts.Linker == nil {
		return
	}
	EachShard(ctx, c, func(ctx context.Context, m Member) {
		if m.Boot != c.opts.Boot {
			c.keepLink(ctx, m)
		}
	})
}

// keepLink holds the connection to one boot. Refused, or answered by another
// boot, means dead for our own view until a connection to it stands.
func (c *Cluster) keepLink(ctx context.Context, m Member) {
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		link, err := c.opts.Linker.Link(ctx, m.Client, m.Boot)
		switch {
		case err == nil:
			c.setRefused(m.Boot, false)
			pause = 100 * time.Millisecond
			select {
			case <-link.Done():
			case <-ctx.Done():
			}
			if err := link.Close(); err != nil {
				c.logger.Debug("close member connection", "err", err)
			}
			continue // once at once: a reset may have been the network's
		case ctx.Err() != nil:
			return
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, ErrOtherBoot):
			c.setRefused(m.Boot, true)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
}

func (c *Cluster) setRefused(boot string, refused bool) {
	c.mu.Lock()
	changed := c.refused[boot] != refused
	if refused {
		c.refused[boot] = true
	} else {
		delete(c.refused, boot)
	}
	c.mu.Unlock()
	if changed {
		if refused {
			c.logger.Info("a shard's port refuses connections: taken for dead", "boot", boot)
		}
		c.mark()
	}
}
